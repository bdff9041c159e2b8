/**
 * What holds in every job database at every moment, whatever happened to the process that wrote it. Each rule is a
 * query that must find nothing.
 */

import { encodeJobId, toJobSeq } from '../../src/job/id.ts'
import { openReader, readDatabaseId } from '../../src/store/open.ts'
import { decodeRanges } from '../../src/store/ranges.ts'

type Connection = ReturnType<typeof openReader>

const live = `(state = 'QUEUED' OR state = 'SCHEDULED' OR state = 'RUNNING')`

const rules: Readonly<Record<string, string>> = {
  'finished_at is set exactly on finished jobs': `SELECT seq FROM jobs WHERE ${live} = (finished_at IS NOT NULL)`,
  'a job that is DONE was started, and counted an attempt':
    "SELECT seq FROM jobs WHERE state = 'DONE' AND (started_at IS NULL OR attempt < 1)",
  'a running job counted its attempt': "SELECT seq FROM jobs WHERE state = 'RUNNING' AND attempt < 1",
  'a job waits for something exactly while QUEUED or SCHEDULED':
    "SELECT seq FROM jobs WHERE (state = 'QUEUED' OR state = 'SCHEDULED') <> (waits_for IS NOT NULL)",
  'a job waits for its turn exactly while QUEUED':
    "SELECT seq FROM jobs WHERE (state = 'QUEUED') <> (waits_for IS 'turn')",
  'who waits for a time has one':
    "SELECT seq FROM jobs WHERE (state = 'QUEUED' OR state = 'SCHEDULED') AND (waits_for = 'time') <> (run_at IS NOT NULL)",
  'a subject knows its live jobs': `SELECT seq FROM jobs JOIN subjects USING (subject_key)
    WHERE ${live} AND seq <> latest_seq AND seq IS NOT running_seq`,
  'superseded jobs name another':
    "SELECT seq FROM jobs WHERE (state = 'SUPERSEDED') <> (superseded_by IS NOT NULL)",
  'which is of their subject, or has been pruned': `SELECT old.seq FROM jobs AS old
    JOIN jobs AS new ON new.seq = old.superseded_by WHERE new.subject_key IS NOT old.subject_key`,
  'of a subject one job is claimed or claimable': `SELECT subject_key FROM jobs
    WHERE subject_key IS NOT NULL AND (state = 'QUEUED' OR state = 'RUNNING') GROUP BY subject_key HAVING count(*) > 1`,
  'of a subject one job waits': `SELECT subject_key FROM jobs
    WHERE subject_key IS NOT NULL AND (state = 'QUEUED' OR state = 'SCHEDULED') GROUP BY subject_key HAVING count(*) > 1`,
  'who waits for its subject waits for a running job': `SELECT seq FROM jobs AS waiting
    WHERE state = 'SCHEDULED' AND waits_for = 'subject' AND NOT EXISTS (SELECT 1 FROM jobs AS running
    WHERE running.subject_key = waiting.subject_key AND running.state = 'RUNNING')`,
  'a subject names its latest generation': `SELECT subject_key FROM subjects AS subject WHERE NOT EXISTS (
    SELECT 1 FROM jobs WHERE seq = subject.latest_seq AND subject_key = subject.subject_key
    AND generation = subject.latest_generation)`,
  'no generation of a subject is given twice':
    'SELECT subject_key FROM jobs WHERE subject_key IS NOT NULL AND finished_at IS NULL GROUP BY subject_key, generation HAVING count(*) > 1',
  'no generation is newer than the latest':
    'SELECT seq FROM jobs JOIN subjects USING (subject_key) WHERE generation > latest_generation',
  'a subject knows its youngest job, also when that has been pruned': `SELECT subject_key FROM subjects AS subject
    WHERE last_seq < (SELECT max(seq) FROM jobs WHERE subject_key = subject.subject_key)`,
  'a subject counts its jobs': `SELECT subject_key FROM subjects AS subject
    WHERE jobs <> (SELECT count(*) FROM jobs WHERE subject_key = subject.subject_key)`,
  'every job about a subject has it': `SELECT seq FROM jobs WHERE subject_key IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM subjects WHERE subjects.subject_key = jobs.subject_key)`,
  'long payloads are those of existing jobs':
    'SELECT seq FROM payloads WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.seq = payloads.seq)',
  'progress is that of existing jobs':
    'SELECT seq FROM progress WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.seq = progress.seq)',
  'attempts are those of existing jobs':
    'SELECT seq, attempt FROM attempts AS one WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE seq = one.seq AND attempt >= one.attempt)',
  'who has ended runs out of time no more, unless it was cancelled in bulk': `SELECT seq FROM expirations AS one
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE seq = one.seq AND (${live} OR state = 'CANCELLED'))`,
  'idempotency keys are those of existing jobs':
    'SELECT idempotency_key FROM idempotency_keys AS one WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE seq = one.seq)',
  'no number is above the highest ever given':
    "SELECT seq FROM jobs WHERE seq > (SELECT value FROM meta WHERE name = 'last_seq')",
  'counters equal a count': `SELECT * FROM (
    SELECT queue, state, sum(jobs) AS jobs FROM (
      SELECT queue, state, jobs FROM counters UNION ALL SELECT queue, state, -count(*) FROM jobs GROUP BY queue, state
    ) GROUP BY queue, state) WHERE jobs <> 0`,
  'no counter is negative': 'SELECT * FROM counters WHERE jobs < 0',
}

/** Gives what is wrong with the database, in words; nothing when all is well. Only reads. */
export function checkDatabase(path: string): string[] {
  const database = openReader(path)
  try {
    const broken = Object.entries(rules).flatMap(([rule, sql]) => {
      const found = database.prepare<[], object>(sql).all()
      return found.length === 0 ? [] : [`${rule}, but not ${JSON.stringify(found.slice(0, 5))}`]
    })
    return [...broken, ...unclaimed(database), ...unsound(database)]
  } finally {
    database.close()
  }
}

/** Jobs that are RUNNING, but not among the claims that the last commit recorded: no recovery would find them. */
function unclaimed(database: Connection): string[] {
  const claims = database.prepare<[], string>("SELECT value FROM meta WHERE name = 'claims'").pluck().get()
  const ranges = decodeRanges(claims ?? '')
  const running = database.prepare<[], number>("SELECT seq FROM jobs WHERE state = 'RUNNING'").pluck().all()
  const lost = running.filter((seq) => !ranges.some(([first, last]) => first <= seq && seq <= last))
  return lost.length === 0
    ? []
    : [`every running job is among the claims ${claims}, but not ${lost.join(' ')}`]
}

function unsound(database: Connection): string[] {
  const found = database.prepare<[], string>('PRAGMA integrity_check').pluck().all()
  return found.join() === 'ok' ? [] : [`SQLite finds the file sound, but not ${found.join('; ')}`]
}

export interface StoredJob {
  readonly seq: number
  readonly jobType: string
  readonly state: string
  readonly attempt: number
  readonly result: string | null
}

const storedJobs = 'SELECT seq, job_type AS jobType, state, attempt, result FROM jobs'

/** All jobs, by the id under which they are known outside. */
export function readJobs(path: string): Map<string, StoredJob> {
  const database = openReader(path)
  try {
    const databaseId = readDatabaseId(database)
    const rows = database.prepare<[], StoredJob>(storedJobs).all()
    return new Map(rows.map((row) => [encodeJobId(databaseId, toJobSeq(row.seq)), row]))
  } finally {
    database.close()
  }
}
