/**
 * What the line of each event says. The table names no more than differs: an event without an entry has its name for a
 * message, and every event has its facts as fields, their names in snake_case.
 */
import type { EngineEventMap, EngineEventName } from './events.ts'
import { transitionMessage, transitionTarget } from './transition-lines.ts'

/** What goes into a line beside time and level. */
export interface LineText {
  readonly traceId: string
  readonly target: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

type Facts = Readonly<Record<string, unknown>>

interface Wording {
  readonly target: string
  readonly message: string | ((event: Facts) => string)
  /** Facts that the event does not tell, since its name does. They stand after the names of the job. */
  readonly facts?: Facts
}

const supervisor = 'semantica.supervisor'
const pool = 'semantica.pool'
const maintenance = 'semantica.maintenance'

/** By name, and not typed by the map: the line of an event may be worded before the event exists. */
const wordings: Readonly<Record<string, Wording>> = {
  'job-retried': {
    target: transitionTarget,
    message: transitionMessage,
    facts: { fromState: 'RUNNING' },
  },
  'job-failed': {
    target: transitionTarget,
    message: transitionMessage,
    facts: { fromState: 'RUNNING', state: 'FAILED' },
  },
  'job-unresponsive': { target: pool, message: 'Handler did not give way; its thread is ended' },
  'job-threw-late': { target: pool, message: 'Job threw after it had ended; its thread is replaced' },
  'job-progress': { target: supervisor, message: 'Job progress' },
  'job-log-failed': { target: pool, message: 'Log or trace of a job cannot be written; the job goes on' },
  'job-without-handler': {
    target: supervisor,
    message: 'No handler serves the type of a stored job; it waits',
  },
  recovered: { target: supervisor, message: 'Recovered jobs that were running when the last process died' },
  'thread-died': { target: pool, message: 'Pool thread died; it is replaced' },
  'actor-died': { target: 'semantica.actor', message: 'Actor died' },
  'actor-recovered': { target: 'semantica.actor', message: 'Actor is up again' },
  'checkpointer-died': { target: 'semantica.checkpointer', message: 'Checkpointer died' },
  'checkpoint-failed': {
    target: 'semantica.checkpointer',
    message: 'Checkpoint failed; the WAL grows until one succeeds',
  },
  'commit-failed': {
    target: supervisor,
    message: ({ jobId, retryInMs }) => {
      const what = jobId === undefined ? 'Commit failed' : 'What became of a job cannot be recorded'
      if (retryInMs === undefined) return `${what}; only the next start tries again`
      return `${what}; it is tried again${jobId === undefined ? '' : ', and others go on'}`
    },
  },
  throttled: { target: supervisor, message: 'Throttled: jobs of low priority are held back' },
  resumed: { target: supervisor, message: 'Resumed: jobs of low priority are begun again' },
  'engine-failed': {
    target: supervisor,
    message: 'Supervisor thread died; the engine has to be started anew',
  },
  'request-refused': { target: 'semantica.engine', message: 'Request refused' },
  'maintenance-started': { target: maintenance, message: 'Maintenance started' },
  'maintenance-progress': { target: maintenance, message: 'Maintenance progress' },
  'maintenance-completed': {
    target: maintenance,
    message: ({ outcome }) =>
      outcome === 'failed' ? 'Maintenance ended; something of it failed' : 'Maintenance completed',
  },
  'maintenance-failed': { target: maintenance, message: 'Maintenance failed' },
  alert: { target: 'semantica.alerts', message: 'Alert' },
  'alert-resolved': { target: 'semantica.alerts', message: 'Alert resolved' },
}

export function lineOf<Name extends EngineEventName>(name: Name, event: EngineEventMap[Name]): LineText {
  const { target, message, facts } = wordings[name] ?? { target: 'semantica.engine', message: wordsOf(name) }
  const all: Facts = { ...(event as Facts) }
  const { traceId, jobId, jobType, queue, ...others } = all
  return {
    traceId: typeof traceId === 'string' ? traceId : '',
    target,
    // What names the job comes first, as in every line about a job.
    fields: toFields({ jobId, jobType, queue, ...facts, ...others }),
    message: typeof message === 'function' ? message(all) : message,
  }
}

/** `maintenance-started` in words. */
function wordsOf(name: string): string {
  const words = name.replaceAll('-', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** The same facts under names in snake_case, deep. Bytes that were given back are told in MB, as in every report. */
function toFields(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) => {
      if (value === undefined) return []
      if (name === 'reclaimedBytes' && typeof value === 'number')
        return [['reclaimed_mb', Math.round(value / 1e4) / 100]]
      return [[snakeCase(name), toField(value)]]
    }),
  )
}

function toField(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(toField)
  return value instanceof Date ? value.toISOString() : toFields({ ...value })
}

function snakeCase(name: string): string {
  // Variables and other names that are not ours stay as they are.
  return /^[a-z][a-zA-Z0-9]*$/.test(name)
    ? name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    : name
}
