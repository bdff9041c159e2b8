import type { MessagePort } from 'node:worker_threads'
import type {
  Durability,
  LoadMeasure,
  LogTransitions,
  MaintenanceSettings,
  ThrottleSettings,
} from '../config.ts'
import type { PlainError } from '../errors.ts'
import type { JobCriteria } from '../job/criteria.ts'
import type { DeathCause, FailureCause } from '../job/failure-cause.ts'
import type { RetryPolicy } from '../job/retry.ts'
import type { EnqueueOptions } from '../job/spec.ts'
import type { FinalState, JobState } from '../job/state.ts'
import type { EngineFacts } from '../telemetry/facts.ts'
import type {
  DutyName,
  MaintenanceOutcome,
  MaintenanceProgress,
  MaintenanceReason,
  MaintenanceReport,
  MaintenanceStatus,
  MaintenanceTotals,
} from './maintenance-messages.ts'

export type * from './maintenance-messages.ts'

/** What the supervisor thread is started with. */
export interface SupervisorStart {
  readonly database: string
  /** The variable or file that names that path; undefined: the host's own code does. */
  readonly databaseSource?: string | undefined
  /** Name of the host's program, for whoever finds the database locked. */
  readonly program: string
  readonly durability: Durability
  readonly threads: number
  /** Programs that may run at a time. */
  readonly programConcurrency: number
  readonly threadMemoryMb: number
  readonly recycleAfterJobs: number
  readonly recycleAboveMb: number
  readonly jobLogBytes: number
  readonly threadNiceness: number
  readonly upgradeBackup: boolean
  /** Which state transitions the host logs beside those that are events; undefined: none. */
  readonly transitions: LogTransitions | undefined
  readonly moduleUrls: readonly string[]
  readonly setupUrl: string | undefined
  readonly jobTypes: Readonly<Record<string, JobTypeSettings>>
  readonly actors: readonly ActorStart[]
  /** Whether waits, run times and commits are measured. */
  readonly isMetered: boolean
  /** Undefined: jobs of low priority are never held back. */
  readonly throttle: ThrottleSettings | undefined
  readonly maintenance: MaintenanceSettings
}

/** What the supervisor needs to know of a job type; the handler itself is known to pool threads only. */
export interface JobTypeSettings {
  readonly retry?: Partial<RetryPolicy>
  readonly timeoutMs?: number
  readonly graceMs?: number
  readonly overlap?: number
  /** Its handlers do nothing in their thread but wait for a program. */
  readonly isProgram?: boolean
}

export interface ActorStart {
  readonly name: string
  readonly moduleUrl: string
  readonly options: unknown
}

/** What the host asks of the supervisor. Each request names its reply. */
export type SupervisorProtocol = {
  readonly describe: { readonly request: null; readonly reply: DatabaseFacts }
  readonly enqueue: { readonly request: EnqueueRequest; readonly reply: EnqueueReply }
  readonly cancel: { readonly request: readonly number[]; readonly reply: readonly CancelAnswer[] }
  /** Answered when all of it is done. */
  readonly 'cancel-matching': { readonly request: JobCriteria; readonly reply: CancelReport }
  readonly retry: { readonly request: RetryRequest; readonly reply: RetryReply }
  /** Asks for the outcomes of these jobs; the reply lists those that have ended, or do not exist, already. */
  readonly watch: { readonly request: readonly number[]; readonly reply: readonly number[] }
  /** What metrics and alerts are made of. Answered at once, and writes nothing: it costs a resting engine no commit. */
  readonly facts: { readonly request: null; readonly reply: EngineFacts }
  readonly stats: { readonly request: null; readonly reply: SupervisorStats }
  /** Answered when the run has ended; joins one that is under way. */
  readonly maintain: { readonly request: null; readonly reply: MaintenanceReport }
  readonly 'maintenance-status': { readonly request: null; readonly reply: MaintenanceStatus }
  /** Answered when no job is queued, scheduled or running. */
  readonly idle: { readonly request: null; readonly reply: null }
  readonly stop: { readonly request: { readonly graceMs: number }; readonly reply: StopReport }
}

export interface DatabaseFacts {
  readonly databaseId: string
  /** The real path, links resolved. */
  readonly path: string
  readonly sqliteVersion: string
}

/**
 * Jobs as columns. The payloads are one text, which crosses threads as a copy of memory and goes into SQLite by one
 * statement: as an array of texts they would cost each of the two several times as much.
 */
export interface EnqueueRequest {
  /** How many. */
  readonly jobs: number
  /** One for all, or one each. */
  readonly jobTypes: string | readonly string[]
  /** JSON of an array of texts, each of them the JSON of one payload. */
  readonly payloads: string
  readonly options: readonly (EnqueueOptions | undefined)[] | undefined
  /** The spans that the jobs were enqueued in: one for all, or one each; undefined: none was active. */
  readonly traceparents?: string | readonly (string | undefined)[] | undefined
}

export type EnqueueReply =
  /** All new, numbered without a gap. */
  | { readonly kind: 'run'; readonly firstSeq: number }
  | { readonly kind: 'each'; readonly seqs: readonly number[]; readonly existing: readonly ExistingJob[] }

/** A job that was there before and stands for the one at `index`; its type may be another. */
export interface ExistingJob {
  readonly index: number
  readonly jobType: string
}

export type CancelAnswer = 'unknown' | 'finished' | 'cancelled'

/** How many jobs a cancel of many has reached, by what they were doing. */
export interface CancelReport {
  /** Jobs that had not begun. They have ended as CANCELLED. */
  readonly waiting: number
  /** Jobs whose handlers had begun. They are asked to give way, and end as CANCELLED when they do. */
  readonly running: number
}

/** Of one job; within which span it was asked for, if any. */
export interface RetryRequest {
  readonly seq: number
  readonly traceparent: string | undefined
}

export type RetryReply =
  | { readonly kind: 'retried'; readonly seq: number; readonly jobType: string }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'not-finished'; readonly state: JobState }
  | { readonly kind: 'no-handler'; readonly jobType: string }

export interface SupervisorStats {
  readonly jobs: Readonly<Record<JobState, number>>
  readonly queues: Readonly<Record<string, Readonly<Record<JobState, number>>>>
  /** Pool threads that take batches, and how many of them are at work. */
  readonly threads: { readonly ready: number; readonly busy: number }
  /** Jobs that are claimed: given to a thread, or about to be. */
  readonly claims: number
  /** Messages that wait for the supervisor. */
  readonly mailbox: number
  readonly commits: number
  readonly walBytes: number
  /** Why jobs of low priority are held back now; undefined: they are not. */
  readonly throttled: Throttled | undefined
}

export interface Throttled {
  /** What is taken: the CPU by other things than this engine, or the memory. */
  readonly reason: 'cpu' | 'memory'
  readonly since: Date
  /** How much of it was taken at the last measure, and above how much jobs are held, in percent. */
  readonly foundPercent: number
  readonly limitPercent: number
  /** Jobs of a lower priority are held. */
  readonly belowPriority: number
}

export interface StopReport {
  /** Whether every running job ended by itself within the grace. */
  readonly graceful: boolean
  /** Jobs put back that had not started, and that had. */
  readonly putBackWaiting: number
  readonly putBackRunning: number
  /** Jobs that the file still has as running, since what became of them could not be recorded: the next start runs them again. */
  readonly leftRunning: number
  /** Threads that were ended by force. */
  readonly threadsEnded: number
  readonly elapsedMs: number
}

/** One way, from the host. */
export type HostNotice =
  | EventInterest
  /** The answer to 'measure'. */
  | { readonly kind: 'measured'; readonly load: LoadMeasure }
  /** So many characters of transitions are in the log. */
  | { readonly kind: 'logged'; readonly characters: number }

/** Whether anybody listens to events that are many. */
export interface EventInterest {
  readonly kind: 'subscribe'
  readonly event: 'job-settled' | 'job-progress'
  readonly isWanted: boolean
}

/** One way, to the host. */
export type SupervisorNotice =
  /** JSON of an array of JobOutcome: one text crosses threads several times faster than as many objects. */
  | { readonly kind: 'outcomes'; readonly outcomes: string }
  /** JSON of an array of SettledJob. */
  | { readonly kind: 'settled'; readonly jobs: string }
  | { readonly kind: 'event'; readonly event: EngineEvent; readonly at: number }
  | TransitionsNotice
  /** Asks for the host's own measure of the load. */
  | { readonly kind: 'measure' }
  | { readonly kind: 'actor-port'; readonly name: string; readonly port: MessagePort }
  | { readonly kind: 'actor-failed'; readonly name: string; readonly error: PlainError }

/** What to log of one commit. */
export interface TransitionsNotice {
  readonly kind: 'transitions'
  /** JSON of an array of TransitionRun. */
  readonly runs: string
  /** Wall time of the commit. */
  readonly at: number
  /** How many before these were not told, since the log was behind. */
  readonly dropped: number
}

/** How a job ended, for who waits for its result. */
export interface JobOutcome {
  readonly seq: number
  readonly state: FinalState
  /** JSON text. */
  readonly result: string | undefined
  readonly failure: JobFailure | undefined
  readonly supersededBy: number | undefined
}

export interface JobFailure {
  readonly cause: FailureCause
  readonly error: PlainError
}

/** How a job ended, for who listens to all of them. */
export interface SettledJob extends JobOutcome {
  readonly jobType: string
  readonly queue: string
  readonly subjectKey: string | null
  readonly attempt: number
  readonly traceId: string | undefined
}

export interface FailedAttempt {
  readonly seq: number
  readonly jobType: string
  readonly queue: string
  readonly traceId: string | undefined
  readonly attempt: number
  readonly failure: JobFailure
  /** Undefined: nobody knows when its handler began. */
  readonly durationMs: number | undefined
  /** Values of the environment that the job gave its program: they may stand in what it wrote, and not in the log. */
  readonly envValues?: readonly string[]
}

/** How a job waits for its next attempt. */
export interface Retry {
  readonly state: 'QUEUED' | 'SCHEDULED'
  readonly delayMs: number
}

/** What happened that a person may want to read. Jobs are named by their number; the host makes it an id. */
export type EngineEvent =
  | (FailedAttempt & { readonly kind: 'job-retried' } & Retry)
  | (FailedAttempt & { readonly kind: 'job-failed' })
  | {
      readonly kind: 'job-unresponsive'
      readonly seq: number
      readonly jobType: string
      readonly traceId: string | undefined
      readonly ignoredForMs: number
    }
  | {
      readonly kind: 'job-threw-late'
      readonly seq: number
      readonly jobType: string
      readonly traceId: string | undefined
      readonly error: PlainError
      readonly throws: number
    }
  | {
      readonly kind: 'job-progress'
      readonly seq: number
      readonly jobType: string
      readonly traceId: string | undefined
      readonly fraction: number
      readonly note: string | null
    }
  | {
      readonly kind: 'job-log-failed'
      readonly seq: number
      readonly jobType: string
      readonly traceId: string | undefined
      readonly error: PlainError
    }
  | {
      readonly kind: 'job-without-handler'
      readonly seq: number
      readonly jobType: string
      readonly traceId: string | undefined
    }
  | {
      readonly kind: 'schema-upgraded'
      readonly fromVersion: number
      readonly toVersion: number
      readonly backup: string | undefined
    }
  /** Of a traced attempt whose thread died: not told to anybody, but recorded as a span. */
  | {
      readonly kind: 'attempt-lost'
      readonly seq: number
      readonly jobType: string
      readonly queue: string
      readonly attempt: number
      readonly traceparent: string
      /** Wall time. */
      readonly startedAt: number
      readonly endedAt: number
      readonly outcome: string
      readonly failure: PlainError | undefined
    }
  | { readonly kind: 'recovered'; readonly interrupted: number; readonly poisoned: number }
  | {
      readonly kind: 'thread-died'
      readonly threadId: number
      readonly cause: DeathCause
      readonly error: PlainError
      readonly suspects: readonly number[]
    }
  | {
      readonly kind: 'actor-died'
      readonly name: string
      readonly error: PlainError
      readonly willRestart: boolean
    }
  | { readonly kind: 'actor-recovered'; readonly name: string }
  | { readonly kind: 'checkpointer-died'; readonly error: PlainError; readonly willRestart: boolean }
  | { readonly kind: 'checkpoint-failed'; readonly error: PlainError; readonly walBytes: number }
  | {
      readonly kind: 'commit-failed'
      readonly error: PlainError
      /** Undefined: only the next start tries again. */
      readonly retryInMs: number | undefined
      /** What could not be recorded is about this one alone; undefined: it is not about one. */
      readonly job:
        | { readonly seq: number; readonly jobType: string; readonly traceId: string | undefined }
        | undefined
    }
  | ({ readonly kind: 'throttled' } & Omit<Throttled, 'since'>)
  | { readonly kind: 'resumed'; readonly reason: Throttled['reason']; readonly heldForMs: number }
  | { readonly kind: 'maintenance-started'; readonly reason: MaintenanceReason }
  | ({ readonly kind: 'maintenance-progress' } & MaintenanceProgress)
  | ({ readonly kind: 'maintenance-completed'; readonly outcome: MaintenanceOutcome } & MaintenanceTotals)
  | { readonly kind: 'maintenance-failed'; readonly duty: DutyName | undefined; readonly error: PlainError }
