/** What the checkpointer thread and the supervisor say to each other. */
import type { PlainError } from '../errors.ts'
import type { JobCriteria } from '../job/criteria.ts'
import type { JobState } from '../job/state.ts'
import type { AttemptRow, JobRow, ProgressRow } from './rows.ts'

export interface CheckpointRequest {
  readonly kind: 'checkpoint'
}

export interface CheckpointReport {
  readonly kind: 'checkpointed'
  /** Another connection was running a checkpoint; nothing was done. */
  readonly busy: boolean
  /** Pages in the WAL as the checkpoint began. */
  readonly walPages: number
  /** How many of them are in the file now. Fewer than `walPages` when a reader still needs the older ones. */
  readonly checkpointedPages: number
  readonly elapsedMs: number
}

/** The checkpoint did not come to its end, on a full disk for instance. The thread goes on. */
export interface CheckpointFailure {
  readonly kind: 'checkpoint-failed'
  readonly error: PlainError
}

export type CheckpointAnswer = CheckpointReport | CheckpointFailure

/** What the checkpointer thread is started with. */
export interface CheckpointerData {
  /** Path of the database, which a writer has open. */
  readonly path: string
}

/** What the host asks of the reader thread. */
export type ReaderProtocol = {
  readonly get: { readonly request: readonly number[]; readonly reply: readonly JobReading[] }
  readonly list: { readonly request: ListRequest; readonly reply: ListReply }
}

/** A job with its failed attempts, and how far it has come. */
export interface JobReading {
  readonly row: JobRow
  readonly attempts: readonly AttemptRow[]
  readonly progress: ProgressRow | undefined
}

/** What the host asks of a backup thread, once. */
export type BackupProtocol = {
  readonly backup: { readonly request: BackupRequest; readonly reply: BackupReport }
}

export interface BackupRequest {
  readonly target: string
  /** Whether the files of jobs are copied too. */
  readonly files: boolean
}

/** What a backup has made. */
export interface BackupReport {
  /** Real path of the copy. */
  readonly path: string
  /** Its size. */
  readonly bytes: number
  /** Logs and artifacts that were copied to `<path>-files`, and their size; 0 unless the option `files` was given. */
  readonly files: number
  readonly filesBytes: number
  readonly elapsedMs: number
}

export interface ListRequest {
  readonly criteria: JobCriteria
  readonly state: JobState | undefined
  /** Children of this job. */
  readonly parent: number | undefined
  /** Rows below this number, newest first; undefined: from the newest. */
  readonly before: number | undefined
  readonly limit: number
}

export interface ListReply {
  readonly rows: readonly JobRow[]
  /** Where the next page begins; undefined: there is none. */
  readonly before: number | undefined
}

export interface ReaderData {
  readonly path: string
}
