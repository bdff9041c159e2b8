/**
 * The text of every statement that changes the job database, and the types of what it takes and gives.
 *
 * A state in them is a literal, never a parameter: SQLite uses a partial index only where it sees its condition in the
 * text. A test checks the plans.
 */
import type { Database } from 'better-sqlite3'
import type { JobSeq } from '../job/id.ts'
import type { JobState } from '../job/state.ts'
import type { Lane } from './lanes.ts'
import {
  type AttemptRow,
  type ClaimedRow,
  type ExpirationRow,
  type InterruptedRow,
  type JobHead,
  type JobRow,
  jobRowColumns,
  payloadColumn,
  type ReleasedRow,
  type SubjectRow,
} from './rows.ts'

/**
 * The backlog of one degree of suspicion, in the order of claims; to be read as far as it is wanted. Without parameters:
 * SQLite plans a statement anew at each run when it has bound what decides about the index or the limit, which costs
 * eight times the reading itself.
 */
const backlogPeek = (
  suspicion: number,
  more = '',
  waitsFor: 'turn' | 'program' = 'turn',
): string => `SELECT seq, job_type AS jobType, queue, priority, ${payloadColumn},
  created_at AS createdAt, attempt + 1 AS attempt, failures, suspicion, subject_key AS subjectKey, generation, policy, traceparent${more}
  FROM jobs WHERE waits_for = '${waitsFor}' AND run_at IS NULL AND suspicion = ${suspicion} ORDER BY priority DESC, seq`

const labels = ', user_tag AS userTag, chain_group_id AS chainGroupId'

/** What a cancel by criteria reads of each job that it looks at. */
const examined = `SELECT seq, waits_for AS waitsFor, run_at AS runAt, suspicion, priority, job_type AS jobType, queue,
  subject_key AS subjectKey, attempt, traceparent${labels} FROM jobs`

/** What is read of each job that need not wait any more. */
const released = 'seq, queue, job_type AS jobType, attempt, traceparent'

/**
 * What the result of a job is until it has one: room for the times that come with it. A row that grew would not fit into
 * its page any more, and pages of rows that grow end up a seventh larger than what is in them.
 */
const room = "'          '"

export const writeSql = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  savepoint: 'SAVEPOINT command',
  savepointRelease: 'RELEASE command',
  savepointRollback: 'ROLLBACK TO command',
  metaGet: 'SELECT value FROM meta WHERE name = ?',
  metaSet:
    'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
  countersAll: 'SELECT queue, state, jobs FROM counters',
  countersDeleteEmpty:
    'DELETE FROM counters WHERE queue IN (SELECT queue FROM counters GROUP BY queue HAVING max(abs(jobs)) = 0)',
  counterSet:
    'INSERT INTO counters (queue, state, jobs) VALUES (?, ?, ?) ON CONFLICT (queue, state) DO UPDATE SET jobs = excluded.jobs',
  // Many at once, their payloads as JSON of an array of texts: a third of what the same rows cost one by one.
  jobsInsertPlainRunning: `INSERT INTO jobs (seq, state, job_type, payload, created_at, attempt, result)
  SELECT ? + key, 'RUNNING', ?, value, ?, 1, ${room} FROM json_each(?)`,
  jobsInsertPlainQueued: `INSERT INTO jobs (seq, state, job_type, payload, created_at, waits_for, result)
  SELECT ? + key, 'QUEUED', ?, value, ?, 'turn', ${room} FROM json_each(?)`,
  jobsInsertPlainProgram: `INSERT INTO jobs (seq, state, job_type, payload, created_at, waits_for, result)
  SELECT ? + key, 'SCHEDULED', ?, value, ?, 'program', ${room} FROM json_each(?)`,
  jobInsert: `INSERT INTO jobs
      (seq, state, job_type, queue, priority, payload, created_at, finished_at, subject_key, generation, attempt, policy,
       superseded_by, retried_from, waits_for, parent_job_id, user_tag, chain_group_id, trace_id, traceparent, result)
      VALUES (@seq, @state, @jobType, @queue, @priority, @payload, @createdAt, @finishedAt, @subjectKey, @generation,
       @attempt, @policy, @supersededBy, @retriedFrom, @waitsFor, @parent, @userTag, @chainGroupId, @traceId, @traceparent,
       iif(@finishedAt IS NULL, ${room}, NULL))`,
  payloadInsert: 'INSERT INTO payloads (seq, payload) VALUES (?, ?)',
  idempotencyKeyFind: 'SELECT seq FROM idempotency_keys WHERE idempotency_key = ?',
  idempotencyKeyInsert: `INSERT INTO idempotency_keys (idempotency_key, seq) VALUES (?, ?)
    ON CONFLICT (idempotency_key) DO UPDATE SET seq = excluded.seq`,
  subjectGet:
    'SELECT latest_generation AS latestGeneration, latest_seq AS latestSeq, running_seq AS runningSeq FROM subjects WHERE subject_key = ?',
  subjectAdvance: `INSERT INTO subjects
      (subject_key, latest_generation, latest_seq, running_seq, last_seq, jobs) VALUES (?, ?, ?, ?, ?, 1)
      ON CONFLICT (subject_key) DO UPDATE SET latest_generation = excluded.latest_generation,
      latest_seq = excluded.latest_seq, running_seq = excluded.running_seq, last_seq = excluded.last_seq, jobs = jobs + 1`,
  subjectTouch: 'UPDATE subjects SET last_seq = ?, jobs = jobs + 1 WHERE subject_key = ?',
  subjectJobs: 'SELECT latest_seq AS latestSeq, jobs FROM subjects WHERE subject_key = ?',
  subjectForget: 'UPDATE subjects SET jobs = jobs - 1 WHERE subject_key = ?',
  subjectDelete: 'DELETE FROM subjects WHERE subject_key = ?',
  backlogPeekTrusted: backlogPeek(0),
  backlogPeekSuspects: backlogPeek(1),
  backlogPeekExclusive: backlogPeek(2),
  backlogPeekPrograms: backlogPeek(0, '', 'program'),
  backlogPeekLabelledTrusted: backlogPeek(0, labels),
  backlogPeekLabelledSuspects: backlogPeek(1, labels),
  backlogPeekLabelledExclusive: backlogPeek(2, labels),
  backlogPeekLabelledPrograms: backlogPeek(0, labels, 'program'),
  backlogCount:
    "SELECT COUNT(*) AS jobs FROM jobs WHERE waits_for = 'turn' AND run_at IS NULL AND suspicion >= ?",
  jobsClaim: `UPDATE jobs SET state = 'RUNNING', attempt = attempt + 1, waits_for = NULL, started_at = NULL
    WHERE seq BETWEEN ? AND ? AND state = 'QUEUED'`,
  jobsClaimPrograms: `UPDATE jobs SET state = 'RUNNING', attempt = attempt + 1, waits_for = NULL, started_at = NULL
    WHERE seq BETWEEN ? AND ? AND state = 'SCHEDULED'`,
  // Neighbours that began and ended in the same millisecond: half of what the same rows cost one by one.
  jobsSettleFirstDone: `UPDATE jobs SET state = 'DONE', started_at = ?, finished_at = ?, result = NULL
  WHERE seq BETWEEN ? AND ? AND state = 'RUNNING' AND attempt = 1`,
  jobSettleDone:
    "UPDATE jobs SET state = 'DONE', started_at = ?, finished_at = ?, result = NULL WHERE seq = ? AND state = 'RUNNING' AND attempt = ?",
  jobSettleDoneWithResult:
    "UPDATE jobs SET state = 'DONE', started_at = ?, finished_at = ?, result = ? WHERE seq = ? AND state = 'RUNNING' AND attempt = ?",
  jobSettle: `UPDATE jobs SET state = @state, started_at = @startedAt, finished_at = @finishedAt,
      result = @result, failures = @failures, superseded_by = @supersededBy, attempt = @countedAttempt
      WHERE seq = @seq AND state = 'RUNNING' AND attempt = @attempt`,
  jobPutBack: `UPDATE jobs SET state = @state, run_at = @runAt, waits_for = @waitsFor,
      attempt = @attempt, failures = @failures, suspicion = @suspicion
      WHERE seq = @seq AND state = 'RUNNING' AND attempt = @claimedAttempt`,
  jobPark: `UPDATE jobs SET state = 'SCHEDULED', waits_for = 'handler', attempt = ?
      WHERE seq = ? AND state = 'RUNNING' AND attempt = ?`,
  subjectList: "SELECT seq FROM jobs WHERE waits_for = 'subject'",
  parkedList: `SELECT ${released} FROM jobs
      WHERE waits_for = 'handler' AND job_type IN (SELECT value FROM json_each(?)) LIMIT ?`,
  parkedCount: "SELECT COUNT(*) AS jobs FROM jobs WHERE waits_for = 'handler'",
  deathCount:
    "SELECT COUNT(*) AS deaths FROM attempts WHERE seq = ? AND cause IN ('OUT_OF_MEMORY', 'EXITED', 'THREAD_DIED', 'PROCESS_DIED')",
  attemptInsert: `INSERT INTO attempts (seq, attempt, started_at, ended_at, cause, error)
      VALUES (@seq, @attempt, @startedAt, @endedAt, @cause, @error)
      ON CONFLICT (seq, attempt) DO UPDATE SET cause = excluded.cause, error = excluded.error, ended_at = excluded.ended_at`,
  jobHead:
    'SELECT seq, state, job_type AS jobType, queue, generation, policy, suspicion FROM jobs WHERE seq = ?',
  jobGet: `SELECT ${jobRowColumns} FROM jobs WHERE seq = ?`,
  jobEndWaiting: `UPDATE jobs SET state = ?, finished_at = ?, superseded_by = ?, run_at = NULL, waits_for = NULL, result = NULL
    WHERE seq = ?`,
  jobRequestCancel: 'UPDATE jobs SET cancel_requested = ? WHERE seq = ?',
  jobRelease:
    "UPDATE jobs SET state = 'QUEUED', run_at = NULL, waits_for = 'turn' WHERE seq = ? AND state = 'SCHEDULED'",
  jobReleaseProgram:
    "UPDATE jobs SET run_at = NULL, waits_for = 'program', suspicion = 0 WHERE seq = ? AND state = 'SCHEDULED'",
  programsRelease: `UPDATE jobs SET state = 'QUEUED', waits_for = 'turn'
    WHERE waits_for = 'program' AND job_type NOT IN (SELECT value FROM json_each(?)) RETURNING ${released}`,
  dueList: `SELECT ${released} FROM jobs
  WHERE waits_for = 'time' AND run_at <= ? ORDER BY run_at LIMIT ?`,
  dueNext: `SELECT MIN(run_at) AS runAt FROM jobs WHERE waits_for = 'time'`,
  expirationInsert: 'INSERT INTO expirations (expires_at, seq, kind) VALUES (?, ?, ?)',
  expirationNext: 'SELECT MIN(expires_at) AS expiresAt FROM expirations',
  expirationsDue: `SELECT expires_at AS expiresAt, seq, kind FROM expirations WHERE expires_at <= ?
    ORDER BY expires_at, seq LIMIT ?`,
  expirationFind: "SELECT kind FROM expirations WHERE expires_at = ? AND seq = ? AND kind = 'ttl'",
  expirationDelete: 'DELETE FROM expirations WHERE expires_at = ? AND seq = ? AND kind = ?',
  cancelRequestInsert:
    'INSERT INTO cancel_requests (criteria, created_at, last_seq) VALUES (?, ?, ?) RETURNING id',
  cancelRequestsAll: 'SELECT id, criteria, last_seq AS lastSeq, cursor FROM cancel_requests ORDER BY id',
  cancelRequestAdvance: 'UPDATE cancel_requests SET cursor = ? WHERE id = ?',
  cancelRequestDelete: 'DELETE FROM cancel_requests WHERE id = ?',
  taggedAfter: `${examined} WHERE user_tag = ? AND seq > ? AND seq <= ? ORDER BY seq`,
  groupedAfter: `${examined} WHERE chain_group_id = ? AND seq > ? AND seq <= ? ORDER BY seq`,
  // What comes after a place in the order of idx_jobs_waiting, in four parts, since its directions are mixed: of the
  // same priority, of the same suspicion, of the same time, and what waits for the same at a later time.
  waitingAfterSeq: `${examined} WHERE waits_for = ? AND run_at IS ? AND suspicion = ? AND priority = ? AND seq > ?
    ORDER BY seq`,
  waitingAfterPriority: `${examined} WHERE waits_for = ? AND run_at IS ? AND suspicion = ? AND priority < ?
    ORDER BY priority DESC, seq`,
  waitingAfterSuspicion: `${examined} WHERE waits_for = ? AND run_at IS ? AND suspicion > ?
    ORDER BY suspicion, priority DESC, seq`,
  waitingAfterTime: `${examined} WHERE waits_for = ? AND run_at > ? ORDER BY run_at, suspicion, priority DESC, seq`,
  jobsCancelWaiting: `UPDATE jobs SET state = 'CANCELLED', finished_at = ?, run_at = NULL, waits_for = NULL, result = NULL
    WHERE seq IN (SELECT value FROM json_each(?))`,
  jobsCancelClaimed: `UPDATE jobs SET state = 'CANCELLED', finished_at = ?, result = NULL, attempt = attempt - 1
    WHERE seq IN (SELECT value FROM json_each(?))`,
  progressSet: `INSERT INTO progress (seq, fraction, note, at) VALUES (?, ?, ?, ?)
    ON CONFLICT (seq) DO UPDATE SET fraction = excluded.fraction, note = excluded.note, at = excluded.at
    WHERE at <> excluded.at OR fraction <> excluded.fraction OR note IS NOT excluded.note`,
  jobSummarySet: 'UPDATE jobs SET result_summary = ? WHERE seq = ?',
  jobArtifactsGet: 'SELECT artifacts FROM jobs WHERE seq = ?',
  jobArtifactsSet: 'UPDATE jobs SET artifacts = ? WHERE seq = ?',
  jobsDelete: `DELETE FROM jobs
    WHERE seq BETWEEN ? AND ? AND state = ? AND queue = ? AND finished_at <= ? AND subject_key IS ?`,
  attemptsDelete: `DELETE FROM attempts
    WHERE seq BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.seq = attempts.seq)`,
  payloadsDelete: `DELETE FROM payloads
    WHERE seq BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.seq = payloads.seq)`,
  progressDelete: `DELETE FROM progress
    WHERE seq BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.seq = progress.seq)`,
  idempotencyKeysDelete: `DELETE FROM idempotency_keys
    WHERE seq BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.seq = idempotency_keys.seq)`,
  interruptedRange: `SELECT seq, state, job_type AS jobType, queue, generation, policy, attempt, failures, suspicion,
      subject_key AS subjectKey, cancel_requested AS cancelRequested, traceparent
      FROM jobs WHERE seq BETWEEN ? AND ? AND state = 'RUNNING'`,
} as const

/** The part of a prepared statement that is used here. */
export interface Prepared<Parameters extends unknown[], Row> {
  run(...parameters: Parameters): { readonly changes: number }
  get(...parameters: Parameters): Row | undefined
  all(...parameters: Parameters): Row[]
  iterate(...parameters: Parameters): IterableIterator<Row>
}

export type WriteStatements = ReturnType<typeof prepareWrites>

/** Prepares each of them, once. */
export function prepareWrites(database: Database) {
  const prepare = <Parameters extends unknown[], Row = unknown>(sql: string): Prepared<Parameters, Row> =>
    database.prepare<Parameters, Row>(sql)
  return {
    begin: prepare<[]>(writeSql.begin),
    commit: prepare<[]>(writeSql.commit),
    rollback: prepare<[]>(writeSql.rollback),
    savepoint: prepare<[]>(writeSql.savepoint),
    savepointRelease: prepare<[]>(writeSql.savepointRelease),
    savepointRollback: prepare<[]>(writeSql.savepointRollback),
    metaGet: prepare<[string], { value: unknown }>(writeSql.metaGet),
    metaSet: prepare<[string, unknown]>(writeSql.metaSet),
    countersAll: prepare<[], { queue: string; state: JobState; jobs: number }>(writeSql.countersAll),
    counterSet: prepare<[string, JobState, number]>(writeSql.counterSet),
    jobsInsertPlainRunning: prepare<[JobSeq, string, number, string]>(writeSql.jobsInsertPlainRunning),
    jobsInsertPlainQueued: prepare<[JobSeq, string, number, string]>(writeSql.jobsInsertPlainQueued),
    jobsInsertPlainProgram: prepare<[JobSeq, string, number, string]>(writeSql.jobsInsertPlainProgram),
    jobInsert: prepare<[object]>(writeSql.jobInsert),
    payloadInsert: prepare<[JobSeq, string]>(writeSql.payloadInsert),
    idempotencyKeyFind: prepare<[string], { seq: JobSeq }>(writeSql.idempotencyKeyFind),
    idempotencyKeyInsert: prepare<[string, JobSeq]>(writeSql.idempotencyKeyInsert),
    subjectGet: prepare<[string], SubjectRow>(writeSql.subjectGet),
    subjectAdvance: prepare<[string, number, JobSeq, JobSeq | null, JobSeq]>(writeSql.subjectAdvance),
    subjectTouch: prepare<[JobSeq, string]>(writeSql.subjectTouch),
    backlogPeek: {
      trusted: prepare<[], ClaimedRow>(writeSql.backlogPeekTrusted),
      suspects: prepare<[], ClaimedRow>(writeSql.backlogPeekSuspects),
      exclusive: prepare<[], ClaimedRow>(writeSql.backlogPeekExclusive),
      programs: prepare<[], ClaimedRow>(writeSql.backlogPeekPrograms),
    } satisfies Record<Lane, unknown>,
    backlogCount: prepare<[number], { jobs: number }>(writeSql.backlogCount),
    jobsClaim: prepare<[JobSeq, JobSeq]>(writeSql.jobsClaim),
    jobsClaimPrograms: prepare<[JobSeq, JobSeq]>(writeSql.jobsClaimPrograms),
    jobsSettleFirstDone: prepare<[number, number, JobSeq, JobSeq]>(writeSql.jobsSettleFirstDone),
    jobSettleDone: prepare<[number, number, JobSeq, number]>(writeSql.jobSettleDone),
    jobSettleDoneWithResult: prepare<[number, number, string, JobSeq, number]>(
      writeSql.jobSettleDoneWithResult,
    ),
    jobSettle: prepare<[object]>(writeSql.jobSettle),
    jobPutBack: prepare<[object]>(writeSql.jobPutBack),
    jobPark: prepare<[number, JobSeq, number]>(writeSql.jobPark),
    subjectList: prepare<[], { seq: JobSeq }>(writeSql.subjectList),
    parkedList: prepare<[string, number], ReleasedRow>(writeSql.parkedList),
    parkedCount: prepare<[], { jobs: number }>(writeSql.parkedCount),
    deathCount: prepare<[JobSeq], { deaths: number }>(writeSql.deathCount),
    attemptInsert: prepare<[AttemptRow]>(writeSql.attemptInsert),
    jobHead: prepare<[JobSeq], JobHead>(writeSql.jobHead),
    jobGet: prepare<[JobSeq], JobRow>(writeSql.jobGet),
    jobEndWaiting: prepare<[JobState, number, JobSeq | null, JobSeq]>(writeSql.jobEndWaiting),
    jobRequestCancel: prepare<[number, JobSeq]>(writeSql.jobRequestCancel),
    jobRelease: prepare<[JobSeq]>(writeSql.jobRelease),
    jobReleaseProgram: prepare<[JobSeq]>(writeSql.jobReleaseProgram),
    programsRelease: prepare<[string], ReleasedRow>(writeSql.programsRelease),
    dueList: prepare<[number, number], ReleasedRow>(writeSql.dueList),
    dueNext: prepare<[], { runAt: number | null }>(writeSql.dueNext),
    expirationInsert: prepare<[number, JobSeq, ExpirationRow['kind']]>(writeSql.expirationInsert),
    expirationNext: prepare<[], { expiresAt: number | null }>(writeSql.expirationNext),
    expirationsDue: prepare<[number, number], ExpirationRow>(writeSql.expirationsDue),
    expirationFind: prepare<[number, JobSeq], { kind: 'ttl' }>(writeSql.expirationFind),
    expirationDelete: prepare<[number, JobSeq, ExpirationRow['kind']]>(writeSql.expirationDelete),
    progressSet: prepare<[JobSeq, number, string | null, number]>(writeSql.progressSet),
    jobSummarySet: prepare<[string, JobSeq]>(writeSql.jobSummarySet),
    jobArtifactsGet: prepare<[JobSeq], { artifacts: string | null }>(writeSql.jobArtifactsGet),
    jobArtifactsSet: prepare<[string, JobSeq]>(writeSql.jobArtifactsSet),
    interruptedRange: prepare<[number, number], InterruptedRow>(writeSql.interruptedRange),
  }
}
