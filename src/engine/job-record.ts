import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { PlainError } from '../errors.ts'
import { jobFilesOf } from '../execution/job-files.ts'
import { type DatabaseId, encodeJobId, type JobSeq } from '../job/id.ts'
import type { JobState, WaitsFor } from '../job/state.ts'
import { traceIdOf } from '../job/traceparent.ts'
import type { JobReading } from '../store/messages.ts'
import type { ArtifactEntry, AttemptRow, JobPolicy, JobRow } from '../store/rows.ts'
import { storedJson } from './stored-json.ts'

/** A job as it is stored. */
export interface JobRecord {
  readonly id: string
  readonly jobType: string
  readonly queue: string
  readonly priority: number
  readonly state: JobState
  readonly payload: unknown
  /** What the handler returned, on DONE. */
  readonly result: unknown
  readonly subjectKey: string | undefined
  readonly generation: number | undefined
  /** No attempt begins after it. */
  readonly deadline: Date | undefined
  /** Longest wait for the first attempt. */
  readonly ttlMs: number | undefined
  /** Its own time limit of an attempt; undefined: that of its type, if there is one. */
  readonly timeoutMs: number | undefined
  readonly createdAt: Date
  /** When the handler of the last attempt began, as far as that attempt has ended. */
  readonly startedAt: Date | undefined
  readonly finishedAt: Date | undefined
  /** When a SCHEDULED job may run. */
  readonly runAt: Date | undefined
  /**
   * What a job waits for that has not begun: `turn` (QUEUED: a free thread); SCHEDULED: `time` (`runAt`), `subject` (an
   * older run of its subject), `handler` (an engine that serves its type), or `program` (it is one, and as many run as
   * may).
   */
  readonly waitsFor: WaitsFor | undefined
  /** Number of the latest attempt; 0: none yet. */
  readonly attempt: number
  /** Attempts that failed and count against the retry policy. */
  readonly failures: number
  readonly supersededBy: string | undefined
  readonly retriedFrom: string | undefined
  /** The job whose handler enqueued this one. */
  readonly parentJobId: string | undefined
  readonly userTag: string | undefined
  readonly chainGroupId: string | undefined
  /** What its handler gave to `ctx.summarize`; `{ artifact: 'result-summary.json' }` when that was longer than 4,096 characters. */
  readonly resultSummary: unknown
  /** The files that it was given to keep. */
  readonly artifacts: readonly JobArtifact[]
  /** The trace that it was enqueued in, 32 hexadecimal digits; undefined: no span was active. */
  readonly traceId: string | undefined
}

/** A job with its history. */
export interface JobDetails extends JobRecord {
  /** Every attempt that did not succeed, oldest first. */
  readonly failedAttempts: readonly FailedAttempt[]
  /** How far its handler said last that it had come; undefined: it never did. */
  readonly progress: JobProgress | undefined
  /** The files that it was given to keep, and whether each is still there: they are deleted before the job is. */
  readonly artifacts: readonly (JobArtifact & { readonly exists: boolean })[]
}

export interface JobProgress {
  /** From 0 to 1. */
  readonly fraction: number
  readonly note: string | undefined
  /** When the handler said so. */
  readonly at: Date
}

export interface JobArtifact {
  readonly name: string
  readonly bytes: number
  /** Absolute path of the file. */
  readonly path: string
}

/** The database that jobs are of. */
export interface JobPlace {
  readonly databaseId: DatabaseId
  /** Its real path: beside it lie the files that jobs keep. */
  readonly path: string
}

export interface FailedAttempt {
  readonly attempt: number
  readonly startedAt: Date | undefined
  readonly endedAt: Date
  /** The causes are told in README.md, at "Job types". */
  readonly cause: string
  readonly error: PlainError | undefined
}

/** Looks whether the files are there. */
export async function toJobDetails(
  place: JobPlace,
  { row, attempts, progress }: JobReading,
): Promise<JobDetails> {
  const record = toJobRecord(place, row)
  const artifacts = record.artifacts.map(async (artifact) => ({
    ...artifact,
    exists: await isFile(artifact.path),
  }))
  return {
    ...record,
    failedAttempts: attempts.map(toFailedAttempt),
    progress:
      progress === undefined
        ? undefined
        : { fraction: progress.fraction, note: progress.note ?? undefined, at: new Date(progress.at) },
    artifacts: await Promise.all(artifacts),
  }
}

async function isFile(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined)
  return stats?.isFile() ?? false
}

function toArtifacts({ path }: JobPlace, jobId: string, artifacts: string | null): JobArtifact[] {
  if (artifacts === null) return []
  const { artifacts: folder } = jobFilesOf(path, jobId)
  // The boundary: the writer stores nothing else here.
  const entries = JSON.parse(artifacts) as ArtifactEntry[]
  return entries.map(({ name, bytes }) => ({ name, bytes, path: join(folder, name) }))
}

export function toJobRecord(place: JobPlace, row: JobRow): JobRecord {
  const { databaseId: database } = place
  const id = (seq: JobSeq | null) => (seq === null ? undefined : encodeJobId(database, seq))
  // The boundary: the writer stores nothing else here.
  const policy = row.policy === null ? undefined : (JSON.parse(row.policy) as JobPolicy)
  const jobId = encodeJobId(database, row.seq)
  return {
    id: jobId,
    jobType: row.jobType,
    queue: row.queue,
    priority: row.priority,
    state: row.state,
    payload: storedJson(row.payload, jobId, 'payload'),
    result: storedJson(row.result, jobId, 'result'),
    subjectKey: row.subjectKey ?? undefined,
    generation: row.generation ?? undefined,
    deadline: date(policy?.deadline ?? null),
    ttlMs: policy?.ttlMs,
    timeoutMs: policy?.timeoutMs,
    createdAt: new Date(row.createdAt),
    startedAt: date(row.startedAt),
    finishedAt: date(row.finishedAt),
    runAt: date(row.runAt),
    waitsFor: row.waitsFor ?? undefined,
    attempt: row.attempt,
    failures: row.failures,
    supersededBy: id(row.supersededBy),
    retriedFrom: id(row.retriedFrom),
    parentJobId: id(row.parent),
    userTag: row.userTag ?? undefined,
    chainGroupId: row.chainGroupId ?? undefined,
    resultSummary: storedJson(row.resultSummary, jobId, 'summary'),
    artifacts: toArtifacts(place, jobId, row.artifacts),
    traceId: traceIdOf(row.traceparent),
  }
}

function toFailedAttempt({ attempt, startedAt, endedAt, cause, error }: AttemptRow): FailedAttempt {
  return {
    attempt,
    startedAt: date(startedAt),
    endedAt: new Date(endedAt),
    cause,
    // The boundary: the writer stores nothing else here.
    error: error === null ? undefined : (JSON.parse(error) as PlainError),
  }
}

function date(ms: number | null): Date | undefined {
  return ms === null ? undefined : new Date(ms)
}
