/**
 * Everything an engine tells about itself, in one map. Log and telemetry are subscribers of it, like any user.
 *
 * | event | when | level in the log |
 * |---|---|---|
 * | `job-settled` | a job got its outcome; after the commit that recorded it | none: its transition is logged |
 * | `job-retried` | an attempt failed, by itself or with its thread or process, and another will follow | warn |
 * | `job-failed` | a job ended as FAILED | error |
 * | `job-unresponsive` | a handler did not give way within its grace after its signal fired; its thread is ended for it | warn |
 * | `job-threw-late` | something that a job had begun threw, or called `process.exit`, after the job had ended; its outcome stays, its thread is replaced | error |
 * | `job-progress` | a handler told how far it has come; about ten a second from each thread | debug |
 * | `job-log-failed` | the log of a job, the output of its program, or its trace cannot be written; the job goes on; once for each job, of traces once for each thread | warn |
 * | `job-without-handler` | a stored job's type is served by no module of this engine; it waits for one that does | warn |
 * | `schema-upgraded` | at start: the database had the schema of an older version; where its copy is | warn |
 * | `recovered` | at start: jobs that were running when the last process died | warn |
 * | `thread-died` | a pool thread ended by itself, was ended for a handler that did not give way or what one had left behind, or did not become ready; it is replaced | error |
 * | `actor-died` | an actor's thread ended by itself; it is started again, where its budget is spent after a minute | error |
 * | `actor-recovered` | an actor whose restart budget was spent is up again | info |
 * | `checkpointer-died` | the checkpointer ended by itself; the writer does its work meanwhile | error |
 * | `checkpoint-failed` | the WAL cannot be moved to the database file, and grows meanwhile; told once until it can | error |
 * | `commit-failed` | nothing could be written, as on a full disk, or (`jobId`) nothing about one job; outcomes are kept and tried again | error |
 * | `throttled` | jobs of low priority are held back: the machine is busy with other things, or short of memory | warn |
 * | `resumed` | they are begun again | info |
 * | `request-refused` | an enqueue, a cancel or another request was rejected | warn |
 * | `maintenance-started` | a run of maintenance has begun, and why | info |
 * | `maintenance-progress` | what the duty that is under way has done so far; about once a second | debug |
 * | `maintenance-completed` | a run has come to its end, also one of which something failed; what was deleted, and given back to the disk | info; warn when something failed, or jobs were deleted within their retention |
 * | `maintenance-failed` | a duty of a run failed, as on a full disk, or all of the run did; the queue goes on | error |
 * | `alert` | something is over its threshold: the disk, failures, a queue that stands still, failed maintenance | warn |
 * | `alert-resolved` | it no longer is | info |
 * | `engine-failed` | the supervisor thread died, also where the database was moved, replaced or deleted under it; the engine has to be started anew | error |
 */

import type { PlainError } from '../errors.ts'
import { describe, invalidOption } from '../errors.ts'
import type { DeathCause, FailureCause } from '../job/failure-cause.ts'
import type { FinalState } from '../job/state.ts'
import type { Alert } from './alerts.ts'
import { unlessThrows } from './listener-fault.ts'

export interface EngineEventMap {
  'job-settled': {
    readonly jobId: string
    readonly jobType: string
    readonly queue: string
    readonly subjectKey: string | undefined
    readonly state: FinalState
    readonly attempt: number
    readonly traceId: TraceId
    /** What the handler returned, on DONE. */
    readonly result: unknown
    /** Why it failed, on FAILED. */
    readonly cause: FailureCause | undefined
    readonly error: PlainError | undefined
    readonly supersededBy: string | undefined
  }
  'job-retried': JobFailureEvent & {
    /** As what it waits now: `QUEUED` after the death of its thread or process. */
    readonly state: 'QUEUED' | 'SCHEDULED'
    readonly delayMs: number
  }
  'job-failed': JobFailureEvent
  'job-unresponsive': JobEvent & { readonly ignoredForMs: number }
  'job-threw-late': JobEvent & {
    readonly error: PlainError
    /** How often it did so up to now: told at the first, the 10th, the 100th time and so on. */
    readonly throws: number
  }
  'job-progress': JobEvent & {
    /** From 0 to 1. */
    readonly fraction: number
    readonly note: string | undefined
  }
  'job-log-failed': JobEvent & { readonly error: PlainError }
  'job-without-handler': JobEvent
  'schema-upgraded': {
    readonly fromVersion: number
    readonly toVersion: number
    /** Path of the copy that was taken before; undefined when none was. */
    readonly backup: string | undefined
  }
  recovered: { readonly interrupted: number; readonly poisoned: number }
  'thread-died': {
    readonly threadId: number
    readonly cause: DeathCause
    readonly error: PlainError
    readonly suspects: readonly string[]
  }
  'actor-died': {
    readonly name: string
    readonly error: PlainError
    /** Soon. False: its budget is spent, and it is tried again after a minute, unless the engine stops. */
    readonly willRestart: boolean
  }
  'actor-recovered': { readonly name: string }
  'checkpointer-died': { readonly error: PlainError; readonly willRestart: boolean }
  'checkpoint-failed': {
    readonly error: PlainError
    /** How much of the WAL was in use when that was looked at last. */
    readonly walBytes: number
  }
  'commit-failed': {
    /** What could not be recorded is about this job alone, and others go on; undefined: nothing could be written. */
    readonly jobId: string | undefined
    readonly jobType: string | undefined
    readonly traceId: TraceId
    readonly error: PlainError
    /** Undefined: only the next start tries again. */
    readonly retryInMs: number | undefined
  }
  throttled: {
    readonly reason: 'cpu' | 'memory'
    /** How much was taken, and above how much jobs are held. */
    readonly foundPercent: number
    readonly limitPercent: number
    /** Jobs of a lower priority are held. */
    readonly belowPriority: number
  }
  resumed: { readonly reason: 'cpu' | 'memory'; readonly heldForMs: number }
  'request-refused': {
    /** The method of the engine. */
    readonly request: string
    /** What it rejected with: of the error registry, but for errors of your own. */
    readonly code: string
    readonly message: string
    /** How many requests this stands for; of a flood of them not each is told by itself. */
    readonly requests: number
    readonly jobType: string | undefined
    readonly jobId: string | undefined
  }
  'maintenance-started': { readonly reason: 'scheduled' | 'overdue' | 'size' | 'asked' }
  'maintenance-progress': MaintenanceAmounts & {
    readonly duty: MaintenanceDuty
    /** Rows, files or pages that were looked at. */
    readonly examined: number
  }
  'maintenance-completed': MaintenanceAmounts & {
    /** `failed`: there was a `maintenance-failed` before; what was done all the same is told here. */
    readonly outcome: 'completed' | 'failed'
    readonly elapsedMs: number
  }
  'maintenance-failed': {
    /** The others are done all the same; undefined: the whole run failed. */
    readonly duty: MaintenanceDuty | undefined
    readonly error: PlainError
  }
  alert: Alert
  'alert-resolved': Alert & { readonly activeForMs: number }
  'engine-failed': { readonly error: PlainError }
}

type MaintenanceDuty = 'prune-jobs' | 'prune-artifacts' | 'compact' | 'check-integrity'

interface MaintenanceAmounts {
  readonly deletedJobs: number
  /** Those of them whose retention was not over: for `maxFinishedJobs` or `maxDatabaseMb`. */
  readonly deletedEarly: number
  readonly deletedArtifacts: number
  /** Given back to the disk. */
  readonly reclaimedBytes: number
}

/** The trace that the job was enqueued in, 32 hexadecimal digits; undefined: none. */
type TraceId = string | undefined

interface JobEvent {
  readonly jobId: string
  readonly jobType: string
  readonly traceId: TraceId
}

interface JobFailureEvent extends JobEvent {
  readonly queue: string
  readonly attempt: number
  /** From the begin of its handler; undefined when nobody knows that. */
  readonly durationMs: number | undefined
  readonly cause: FailureCause
  readonly error: PlainError
}

export type EngineEventName = keyof EngineEventMap

/** The level at which an event is logged; of some the highest, see `levelOf`. */
export const eventLevels = {
  'job-settled': 'none',
  'job-retried': 'warn',
  'job-failed': 'error',
  'job-unresponsive': 'warn',
  'job-threw-late': 'error',
  'job-progress': 'debug',
  'job-log-failed': 'warn',
  'job-without-handler': 'warn',
  'schema-upgraded': 'warn',
  recovered: 'warn',
  'thread-died': 'error',
  'actor-died': 'error',
  'actor-recovered': 'info',
  'checkpointer-died': 'error',
  'checkpoint-failed': 'error',
  'commit-failed': 'error',
  throttled: 'warn',
  resumed: 'info',
  'request-refused': 'warn',
  'maintenance-started': 'info',
  'maintenance-progress': 'debug',
  'maintenance-completed': 'warn',
  'maintenance-failed': 'error',
  alert: 'warn',
  'alert-resolved': 'info',
  'engine-failed': 'error',
} as const satisfies Record<EngineEventName, EventLevel>

export type EventLevel = 'none' | 'debug' | 'info' | 'warn' | 'error'

/** The level of one event. */
export function levelOf<Name extends EngineEventName>(name: Name, event: EngineEventMap[Name]): EventLevel {
  if (name !== 'maintenance-completed' || !('outcome' in event)) return eventLevels[name]
  return event.outcome === 'completed' && event.deletedEarly === 0 ? 'info' : 'warn'
}

type Listener<Name extends EngineEventName> = (event: EngineEventMap[Name]) => void

/**
 * Typed events. A listener that throws, or whose promise rejects, hurts nobody: what it threw becomes a process warning.
 *
 * @example engine.events.on('job-failed', ({ jobId, error }) => console.error(jobId, error.message))
 */
export class EngineEvents {
  readonly #listeners = new Map<EngineEventName, Set<Listener<never>>>()
  readonly #onInterest: (name: EngineEventName, isWanted: boolean) => void

  /** @param onInterest told when an event gets its first listener, and when it loses its last */
  constructor(onInterest: (name: EngineEventName, isWanted: boolean) => void = () => {}) {
    this.#onInterest = onInterest
  }

  /** @throws OPTION_INVALID when there is no such event, or `listener` cannot be called */
  on<Name extends EngineEventName>(name: Name, listener: Listener<Name>): this {
    if (!Object.hasOwn(eventLevels, name))
      throw invalidOption('event', describe(name), Object.keys(eventLevels).join(', '))
    if (typeof listener !== 'function')
      throw invalidOption(`the listener of ${name}`, describe(listener), 'a function')
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners)
    listeners.add(listener)
    if (listeners.size === 1) this.#onInterest(name, true)
    return this
  }

  off<Name extends EngineEventName>(name: Name, listener: Listener<Name>): this {
    const listeners = this.#listeners.get(name)
    if (listeners?.delete(listener) && listeners.size === 0) this.#onInterest(name, false)
    return this
  }

  once<Name extends EngineEventName>(name: Name, listener: Listener<Name>): this {
    const first = (event: EngineEventMap[Name]) => {
      this.off(name, first)
      return listener(event)
    }
    return this.on(name, first)
  }

  hasListeners(name: EngineEventName): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0
  }

  emit<Name extends EngineEventName>(name: Name, event: EngineEventMap[Name]): void {
    const listeners = this.#listeners.get(name)
    if (listeners === undefined) return
    for (const listener of [...listeners]) {
      // The boundary: `on` is the only way in, and it pairs each name with its own listeners.
      unlessThrows(`A listener of ${name}`, () => (listener as Listener<Name>)(event))
    }
  }
}
