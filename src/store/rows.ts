import type { ExpiryTimes } from '../job/expiration.ts'
import type { JobSeq } from '../job/id.ts'
import type { RetryPolicy } from '../job/retry.ts'
import type { FinalState, JobState, WaitsFor } from '../job/state.ts'

/** What a job overrides of its type's defaults; the `policy` column, as JSON. */
export interface JobPolicy extends ExpiryTimes {
  readonly retry?: Partial<RetryPolicy>
  readonly timeoutMs?: number
  /** Longest wait for the first attempt. */
  readonly ttlMs?: number
}

/** Why a job that waits may have to end: see migrations/006_expirations. */
export interface ExpirationRow {
  readonly expiresAt: number
  readonly seq: JobSeq
  readonly kind: 'ttl' | 'deadline'
}

/** A row to be inserted. */
export interface NewJob {
  readonly seq: JobSeq
  readonly jobType: string
  readonly queue: string
  readonly priority: number
  readonly payload: string
  readonly createdAt: number
  readonly subjectKey: string | null
  readonly generation: number | null
  readonly policy: string | null
  readonly retriedFrom: JobSeq | null
  readonly parent: JobSeq | null
  readonly userTag: string | null
  readonly chainGroupId: string | null
  /** The span that it was enqueued in; null: none was active. */
  readonly traceparent: string | null
}

/** How a row begins its life. WAITING: for its turn, in the lane of its type. */
export type Birth =
  | { readonly state: 'RUNNING' }
  | { readonly state: 'WAITING' }
  | { readonly state: 'SCHEDULED'; readonly waitsFor: 'subject' }
  | { readonly state: 'SUPERSEDED'; readonly supersededBy: JobSeq }

/** How a job can end that was not claimed. */
export type EndOfWaiting = 'CANCELLED' | 'SUPERSEDED' | 'SKIPPED_TTL' | 'SKIPPED_DEADLINE'

/** A row of the backlog, as a claim reads it; `attempt` is that of the claim. */
export interface ClaimedRow {
  readonly seq: JobSeq
  readonly jobType: string
  readonly queue: string
  readonly priority: number
  readonly payload: string
  readonly createdAt: number
  readonly attempt: number
  readonly failures: number
  readonly suspicion: number
  readonly subjectKey: string | null
  readonly generation: number | null
  readonly policy: string | null
  readonly traceparent: string | null
}

/** The same with what criteria look at, read only while there are any. */
export interface LabelledClaimRow extends ClaimedRow {
  readonly userTag: string | null
  readonly chainGroupId: string | null
}

/** A job that waits, and is to be ended with others. */
export interface WaitingRow {
  readonly seq: JobSeq
  readonly waitsFor: WaitsFor
  readonly suspicion: number
  readonly jobType: string
  readonly queue: string
  readonly subjectKey: string | null
  /** Number of its latest attempt; 0: none yet. */
  readonly attempt: number
  readonly traceparent: string | null
}

/** A job that need not wait any more. */
export type ReleasedRow = Pick<WaitingRow, 'seq' | 'queue' | 'jobType' | 'attempt' | 'traceparent'>

/** A subject: its latest generation, and the older job that may still run. */
export interface SubjectRow {
  readonly latestGeneration: number
  readonly latestSeq: JobSeq
  readonly runningSeq: JobSeq | null
}

/** What decides about a job that is not claimed. */
export interface JobHead {
  readonly seq: JobSeq
  readonly state: JobState
  readonly jobType: string
  readonly queue: string
  readonly generation: number | null
  readonly policy: string | null
  readonly suspicion: number
}

/** What a recovery looks at: a job that was RUNNING when the process died. */
export interface InterruptedRow extends JobHead {
  readonly attempt: number
  readonly failures: number
  readonly subjectKey: string | null
  readonly cancelRequested: number | null
  readonly traceparent: string | null
}

/** How a claim ends for good. */
export interface Settlement {
  readonly state: FinalState
  readonly startedAt: number | null
  readonly finishedAt: number
  readonly result: string | null
  readonly failures: number
  readonly supersededBy: JobSeq | null
  /** Attempts that count: one that has not begun may not. */
  readonly countedAttempt: number
}

/** How a claim is given back. */
export interface PutBack {
  readonly jobType: string
  /** When it may run again; undefined: at once. */
  readonly runAt: number | undefined
  /** The attempt's number stays given once its handler has begun. */
  readonly attempt: number
  readonly failures: number
  readonly suspicion: number
}

/** A failed attempt, kept as history. */
export interface AttemptRow {
  readonly seq: JobSeq
  readonly attempt: number
  readonly startedAt: number | null
  readonly endedAt: number
  readonly cause: string
  readonly error: string | null
}

/** How far a job has come. */
export interface ProgressRow {
  readonly fraction: number
  readonly note: string | null
  readonly at: number
}

/** A file that a job keeps; `artifacts` is a JSON array of these. */
export interface ArtifactEntry {
  readonly name: string
  readonly bytes: number
}

/** A job as it is stored, read by `get`, `list` and `retry`. */
export interface JobRow {
  readonly seq: JobSeq
  readonly state: JobState
  readonly jobType: string
  readonly queue: string
  readonly priority: number
  readonly payload: string
  readonly createdAt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly runAt: number | null
  readonly waitsFor: WaitsFor | null
  readonly result: string | null
  readonly subjectKey: string | null
  readonly generation: number | null
  readonly attempt: number
  readonly failures: number
  readonly policy: string | null
  readonly supersededBy: JobSeq | null
  readonly retriedFrom: JobSeq | null
  readonly parent: JobSeq | null
  readonly userTag: string | null
  readonly chainGroupId: string | null
  /** JSON text, as are `artifacts`. */
  readonly resultSummary: string | null
  readonly artifacts: string | null
  readonly traceparent: string | null
}

/** A job's payload, wherever it stands: see migrations/005_payloads. */
export const payloadColumn = `CASE payload WHEN '' THEN
  (SELECT payloads.payload FROM payloads WHERE payloads.seq = jobs.seq) ELSE payload END AS payload`

/** The columns of JobRow, under its names. */
export const jobRowColumns = `seq, state, job_type AS jobType, queue, priority, ${payloadColumn}, created_at AS createdAt,
  started_at AS startedAt, finished_at AS finishedAt, run_at AS runAt, waits_for AS waitsFor,
  iif(finished_at IS NULL, NULL, result) AS result,
  subject_key AS subjectKey, generation, attempt, failures, policy, superseded_by AS supersededBy,
  retried_from AS retriedFrom, parent_job_id AS parent, user_tag AS userTag, chain_group_id AS chainGroupId,
  result_summary AS resultSummary, artifacts, traceparent`
