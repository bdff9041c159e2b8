/**
 * The engine's own log: one line an event, on stderr unless told otherwise. Pino is loaded with the first line,
 * or while the engine starts when one is sure to come.
 *
 * Every line is an object of exactly this form and order; a pretty one is made of it:
 *
 *   {"timestamp":"…","level":"INFO","trace_id":"","target":"semantica.supervisor","fields":{…},"message":"…"}
 *
 * Lines are written synchronously, so that the one about a death is out before the process is. The transitions of a commit
 * are written together.
 */
import { createRequire } from 'node:module'
import type * as Pino from 'pino'
import { systemClock } from '../clock.ts'
import type { LogLevel, Tuning } from '../config.ts'
import { type LineText, lineOf } from './event-lines.ts'
import {
  type EngineEventMap,
  type EngineEventName,
  type EngineEvents,
  eventLevels,
  levelOf,
} from './events.ts'
import { unlessThrows } from './listener-fault.ts'
import { paintForStderr, prettyLine } from './pretty-line.ts'
import { redactFields, secretsIn } from './redact.ts'
import { StderrLines } from './stderr.ts'
import { type TransitionRun, writeTransitions } from './transition-lines.ts'

/** Where the log goes: called with one or more whole lines. */
export type LogTo = (lines: string) => void

export type LogOptions = Pick<Tuning, 'logLevel' | 'logFormat'> & {
  /** Default: stderr. */
  readonly logTo?: LogTo | undefined
  /** Values that never stand in a line, such as those of the environment of programs. */
  readonly secrets: readonly string[]
}

/** What is known beside an event while it is told. */
interface Telling {
  /** When it happened; by default now. */
  readonly atMs?: number
  /** Values that do not stand in its line. */
  readonly secrets?: readonly string[] | undefined
}

interface OpenLog {
  readonly logger: Pino.Logger
  readonly write: WriteLines
}

const severity: Record<LogLevel | 'none', number> = {
  silent: 0,
  error: 1,
  warn: 2,
  info: 3,
  debug: 4,
  none: 5,
}

export class EngineLog {
  readonly #options: LogOptions
  readonly #secrets: readonly string[]
  #telling: Telling = {}
  #opened: OpenLog | undefined

  constructor(options: LogOptions) {
    this.#options = options
    this.#secrets = secretsIn(options.secrets)
  }

  /** Otherwise done with the first line, which then comes some tens of milliseconds late. */
  open(): void {
    this.#open()
  }

  /** Logs the events whose level the log lets through. */
  subscribe(events: EngineEvents): void {
    for (const name of Object.keys(eventLevels) as EngineEventName[]) {
      if (severity[eventLevels[name]] <= severity[this.#options.logLevel])
        events.on(name, (event) => this.#event(name, event))
    }
  }

  /** The lines of what `tell` emits are about this. */
  telling(about: Telling, tell: () => void): void {
    this.#telling = about
    try {
      tell()
    } finally {
      this.#telling = {}
    }
  }

  /** @param dropped how many before these could not be told */
  transitions(
    runs: readonly TransitionRun[],
    atMs: number,
    dropped: number,
    idOf: (seq: number) => string,
  ): void {
    if (dropped > 0) {
      const message = 'Job state transitions were left out of the log, which was behind'
      this.#write('warn', { traceId: '', target: 'semantica.engine', fields: { dropped }, message })
    }
    if (runs.length === 0) return
    const { write } = this.#open()
    writeTransitions(runs, new Date(atMs).toISOString(), idOf, write)
  }

  /** @param take gives the variables that look like options and are none, and were not told before */
  unknownVariables(take: () => readonly object[]): void {
    // They are told once: not to nobody.
    if (severity.warn > severity[this.#options.logLevel]) return
    const variables = take()
    if (variables.length === 0) return
    const message = 'Variables are set that are none of this version'
    this.#write('warn', { traceId: '', target: 'semantica.engine', fields: { variables }, message })
  }

  #event<Name extends EngineEventName>(name: Name, event: EngineEventMap[Name]): void {
    const level = levelOf(name, event)
    if (level === 'none' || severity[level] > severity[this.#options.logLevel]) return
    const { secrets = [] } = this.#telling
    const known = secrets.length === 0 ? this.#secrets : secretsIn([...this.#secrets, ...secrets])
    const text = lineOf(name, event)
    this.#write(level, { ...text, fields: redactFields(text.fields, known) })
  }

  #write(level: 'debug' | 'info' | 'warn' | 'error', text: LineText): void {
    const { traceId, target, fields, message } = text
    this.#open().logger[level]({ level: level.toUpperCase(), trace_id: traceId, target, fields }, message)
  }

  #open() {
    this.#opened ??= openLog(this.#options, () => this.#telling.atMs ?? systemClock.wallMs())
    return this.#opened
  }
}

function openLog({ logLevel, logFormat, logTo }: LogOptions, nowMs: () => number): OpenLog {
  // Not with an import: what is logged first may be the reason why the process is about to end.
  const { pino } = createRequire(import.meta.url)('pino') as typeof Pino
  const write = logFormat === 'json' ? toBytes(logTo) : prettily(toBytes(logTo))
  const logger = pino(
    {
      level: logLevel,
      base: null,
      messageKey: 'message',
      // Level and time change places: the level comes as a field, after a time that begins the line.
      formatters: { level: () => ({}) },
      timestamp: () => `"timestamp":"${new Date(nowMs()).toISOString()}"`,
    },
    { write: (line) => write(Buffer.from(line)) },
  )
  return { logger, write }
}

type WriteLines = (lines: Uint8Array) => void

function toBytes(logTo: LogTo | undefined): WriteLines {
  if (logTo !== undefined) return (lines) => unlessThrows('logTo', () => logTo(textOf(lines)))
  const stderr = new StderrLines()
  return (lines) => stderr.write(lines)
}

function prettily(write: WriteLines): WriteLines {
  const paint = paintForStderr()
  return (lines) => {
    const pretty = textOf(lines)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => prettyLine(line, paint))
    write(Buffer.from(pretty.join('')))
  }
}

function textOf(lines: Uint8Array): string {
  return Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength).toString()
}
