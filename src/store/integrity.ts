/**
 * Statements that look whether a database is whole. Each reads a bounded piece, so that its snapshot, which keeps pages in
 * the WAL, is short; what it says is true of one instant.
 */
import type { Database, Statement } from 'better-sqlite3'
import type { JobState } from '../job/state.ts'

/** Rows that one step looks at. */
const rowsPerStep = 5_000

/** Rows beside the jobs, by their key; each belongs to a job. */
const sideTables = [
  ['payloads', 'seq', 'seq'],
  ['progress', 'seq', 'seq'],
  ['attempts', 'seq', 'seq'],
  ['idempotency_keys', 'idempotency_key', 'seq'],
  ['subjects', 'subject_key', 'latest_seq'],
] as const

export interface StepReply {
  /** Rows that were looked at. */
  readonly rows: number
  /** The key of the last one: where the next step begins; null: there are no more. */
  readonly last: string | number | null
  /** How many of them are wrong, and the first of those. */
  readonly wrong: number
  readonly firstWrong: string | number | null
}

/** Reads every row of a piece of the jobs whole, to its last overflow page, and looks whether its payload is there. */
const jobsStep = `SELECT count(*) AS rows, max(seq) AS last, coalesce(sum(isLost), 0) AS wrong,
  min(CASE WHEN isLost THEN seq END) AS firstWrong FROM (
  SELECT seq, payload = '' AND NOT EXISTS (SELECT 1 FROM payloads WHERE payloads.seq = jobs.seq) AS isLost,
    length(payload) + coalesce(length(result), 0) + coalesce(length(artifacts), 0) AS characters
  FROM jobs WHERE seq > ? ORDER BY seq LIMIT ${rowsPerStep}) WHERE characters >= 0`

const sideStep = (table: string, key: string, seq: string) => `SELECT count(*) AS rows, max(own) AS last,
  coalesce(sum(isOrphan), 0) AS wrong, min(CASE WHEN isOrphan THEN own END) AS firstWrong FROM (
  SELECT ${key} AS own, NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.seq = ${table}.${seq}) AS isOrphan
  FROM ${table} WHERE ${key} > ? ORDER BY ${key} LIMIT ${rowsPerStep})`

export const integritySql = {
  jobsStep,
  ...Object.fromEntries(sideTables.map(([table, key, seq]) => [`${table}Step`, sideStep(table, key, seq)])),
  countedJobs: 'SELECT coalesce(sum(jobs), 0) FROM counters',
  highest: `SELECT (SELECT max(seq) FROM jobs) AS seq, (SELECT value FROM meta WHERE name = 'last_seq') AS lastSeq`,
} as const

/** One statement for both, so that it is true of one instant. It reads all jobs: for databases that are not too large. */
const countersSql = `SELECT queue, state, sum(jobs) AS excess FROM (
  SELECT queue, state, jobs FROM counters UNION ALL SELECT queue, state, -count(*) FROM jobs GROUP BY queue, state)
  GROUP BY queue, state HAVING sum(jobs) <> 0`

export class IntegrityReader {
  readonly sideTables = sideTables.map(([table]) => table)
  readonly #database: Database
  readonly #jobsStep: Statement<[number], StepReply>

  constructor(database: Database) {
    this.#database = database
    this.#jobsStep = database.prepare<[number], StepReply>(jobsStep)
  }

  /** The tables of the database. */
  tables(): string[] {
    return this.#database
      .prepare<[], string>(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
      )
      .pluck()
      .all()
  }

  /** What SQLite finds wrong with a table and its indexes. Reads all of it. */
  checkTable(table: string): string[] {
    const found = this.#database.prepare<[], string>(`PRAGMA integrity_check('${table}')`).pluck().all()
    return found.filter((line) => line !== 'ok')
  }

  /** Looks at some jobs. @param after number of the last one that was looked at; 0: from the first */
  jobsStep(after: number): StepReply {
    return this.#jobsStep.get(after) ?? nothing
  }

  /** Looks at some rows beside the jobs. @param after key of the last one; undefined: from the first */
  sideStep(table: string, after: string | number | undefined): StepReply {
    const found = sideTables.find(([name]) => name === table)
    if (found === undefined) return nothing
    const [name, key, seq] = found
    // Texts come after all numbers, and an empty one before all others.
    const from = after ?? (key === 'seq' ? -1 : '')
    return this.#database.prepare<[string | number], StepReply>(sideStep(name, key, seq)).get(from) ?? nothing
  }

  countedJobs(): number {
    return this.#database.prepare<[], number>(integritySql.countedJobs).pluck().get() ?? 0
  }

  /** Counters that do not say how many rows there are. */
  wrongCounters(): { readonly queue: string; readonly state: JobState; readonly excess: number }[] {
    return this.#database
      .prepare<[], { readonly queue: string; readonly state: JobState; readonly excess: number }>(countersSql)
      .all()
  }

  /** The highest number of a job, when it is above the highest that was ever given. */
  tooHigh(): number | undefined {
    const { seq, lastSeq } = this.#database
      .prepare<[], { readonly seq: number | null; readonly lastSeq: number | null }>(integritySql.highest)
      .get() ?? { seq: null, lastSeq: null }
    return seq !== null && lastSeq !== null && seq > lastSeq ? seq : undefined
  }
}

const nothing: StepReply = { rows: 0, last: null, wrong: 0, firstWrong: null }
