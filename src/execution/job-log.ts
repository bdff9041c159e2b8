/**
 * The log of one attempt: lines of JSON, appended to the job's file by the thread that runs it, so that they are there
 * however the thread ends.
 *
 *   closed ──first line──► open ──end of the attempt──► closed
 *                           │ ▲
 *                full: the file becomes the older one, and a new one is begun
 *
 * What fails is reported once, and tried again with the first line after a second: the job goes on meanwhile.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../clock.ts'
import { describe, toPlainError } from '../errors.ts'
import type { JobLog, LogFields } from '../job/context.ts'
import { stringifyJson } from '../job/json.ts'
import { hasEnded } from './has-ended.ts'
import type { JobFiles } from './job-files.ts'
import { makeJobFolder } from './job-folder.ts'

export type JobLogLevel = 'debug' | 'info' | 'warn' | 'error'

/** A longer line loses the fields that do not fit, and the end of a message that does not. */
const maxLineBytes = 64_000
/** What one UTF-16 unit of a message may become in a line, and what the rest of that line needs. */
const bytesPerUnit = 6
const bytesAround = 256

const retryAfterMs = 1_000
/** A link in the place of a log is not followed: it could lead to the database. */
const openFlags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW

interface Surroundings {
  readonly jobId: string
  readonly attempt: number
  readonly files: JobFiles
  /** Size from which a new file is begun. */
  readonly maxBytes: number
  readonly clock: Clock
  /** The log cannot be written. Called once. */
  onFailure(error: unknown): void
}

export class AttemptLog implements JobLog {
  readonly #surroundings: Surroundings
  #descriptor: number | undefined
  #bytes = 0
  #isClosed = false
  #hasFailed = false
  #silentUntilMs = Number.NEGATIVE_INFINITY

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  // Not methods: a handler may take them off the context, and hand them on.
  readonly debug = (message: string, fields?: LogFields): void => this.#add('debug', message, fields)
  readonly info = (message: string, fields?: LogFields): void => this.#add('info', message, fields)
  readonly warn = (message: string, fields?: LogFields): void => this.#add('warn', message, fields)
  readonly error = (message: string, fields?: LogFields): void => this.#add('error', message, fields)

  /** Never throws. Also after the attempt has ended: what it left running may still have something to say. */
  write(level: JobLogLevel, message: unknown, fields?: LogFields): void {
    const { clock } = this.#surroundings
    if (clock.monotonicMs() < this.#silentUntilMs) return
    try {
      this.#append(this.#lineOf(level, message, fields))
      if (this.#isClosed) this.#closeFile()
    } catch (error) {
      this.#closeFile()
      this.#silentUntilMs = clock.monotonicMs() + retryAfterMs
      if (this.#hasFailed) return
      this.#hasFailed = true
      this.#surroundings.onFailure(error)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#closeFile()
  }

  #add(level: JobLogLevel, message: string, fields: LogFields | undefined): void {
    if (this.#isClosed) throw hasEnded(this.#surroundings.jobId, `logged ${describe(message)}`, 'ctx.log')
    this.write(level, message, fields)
  }

  #lineOf(level: JobLogLevel, message: unknown, fields: LogFields | undefined): Buffer {
    const { attempt, clock, maxBytes } = this.#surroundings
    const text = typeof message === 'string' ? message : describe(message)
    const head = { time: new Date(clock.wallMs()).toISOString(), level, attempt }
    const most = Math.min(maxLineBytes, maxBytes)
    const line = wholeLine({ ...head, message: text, fields })
    return line !== undefined && line.length <= most ? line : fittingLine(head, text, fields, most)
  }

  #append(line: Buffer): void {
    this.#descriptor ??= this.#open()
    if (this.#bytes > 0 && this.#bytes + line.length > this.#surroundings.maxBytes)
      this.#descriptor = this.#begin()
    const written = writeSync(this.#descriptor, line)
    if (written < line.length) {
      // Or the next line would go on in the middle of this one.
      ftruncateSync(this.#descriptor, this.#bytes)
      throw new Error('There is no space left for the log')
    }
    this.#bytes += written
  }

  #open(): number {
    const { log } = this.#surroundings.files
    makeJobFolder(dirname(log))
    const descriptor = openSync(log, openFlags, 0o666)
    this.#bytes = fstatSync(descriptor).size
    return descriptor
  }

  /** Makes the full file the older one, in place of what was that before. */
  #begin(): number {
    const { log, olderLog } = this.#surroundings.files
    this.#closeFile()
    renameSync(log, olderLog)
    return this.#open()
  }

  #closeFile(): void {
    const descriptor = this.#descriptor
    this.#descriptor = undefined
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/** Undefined: JSON cannot carry all of it. */
function wholeLine(line: Readonly<Record<string, unknown>>): Buffer | undefined {
  try {
    return Buffer.from(`${stringifyJson(line, carried)}\n`)
  } catch {
    return undefined
  }
}

/** What can be kept of a line. Of a field that cannot is told why: to log must not fail, nor take others with it. */
function fittingLine(head: object, text: string, fields: unknown, most: number): Buffer {
  const isWhole = Buffer.byteLength(stringifyJson(text)) <= most - bytesAround
  const message = isWhole ? text : text.slice(0, (most - bytesAround) / bytesPerUnit)
  const before = stringifyJson({ ...head, message }).slice(0, -1)
  let leftBytes = most - Buffer.byteLength(before) - Buffer.byteLength(lineEnd(true, ['']))
  let isCut = !isWhole
  const kept: string[] = []
  for (const { name, value } of fieldTexts(fields)) {
    const field = [`${name}:${value}`, `${name}:{"isCut":true}`].find((one) => bytesOf(one) <= leftBytes)
    isCut ||= field !== `${name}:${value}`
    if (field === undefined) continue
    kept.push(field)
    leftBytes -= bytesOf(field)
  }
  return Buffer.from(before + lineEnd(isCut, kept))
}

/** With the comma behind it. */
function bytesOf(field: string): number {
  return Buffer.byteLength(field) + 1
}

function lineEnd(isCut: boolean, fields: readonly string[]): string {
  return `${isCut ? ',"isCut":true' : ''}${fields.length > 0 ? `,"fields":{${fields.join(',')}}` : ''}}\n`
}

/** Each field as JSON; what JSON cannot carry is told in words instead. */
function fieldTexts(fields: unknown): { readonly name: string; readonly value: string }[] {
  try {
    const all = carried('', fields)
    if (typeof all !== 'object' || all === null) return []
    return Object.keys(all).flatMap((name) => {
      const value = valueText(all, name)
      return value === undefined ? [] : [{ name: stringifyJson(name), value }]
    })
  } catch (error) {
    return [{ name: '"unreadable"', value: stringifyJson(toPlainError(error).message) }]
  }
}

function valueText(fields: object, name: string): string | undefined {
  try {
    return stringifyJson(Reflect.get(fields, name), carried)
  } catch (error) {
    return stringifyJson({ unreadable: toPlainError(error).message })
  }
}

function carried(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  return value instanceof Error ? toPlainError(value) : value
}
