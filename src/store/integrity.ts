/**
 * Statements that look whether a database is whole. Each reads a bounded piece, so that its snapshot, which keeps pages in
 * the WAL, is short; what it says is true of one instant.
 */
import type { Database, Statement } from 'better-sqlite3'
import { type Clock, systemClock } from '../clock.ts'
import type { JobState } from '../job/state.ts'
import { readNumber } from './mark.ts'

/** Rows that one step looks at, and what it reads of them: a row may hold some 10 MB. */
const rowsPerStep = 5_000
const charactersPerStep = 4_000_000
/** How long a step goes on: where others need the processor, few rows may take long. It is looked at after so many rows. */
const stepMs = 5
const rowsPerLook = 64

/** Rows beside the jobs, by their key; each belongs to a job. With what of them may go on in overflow pages. */
const sideTables = [
  ['payloads', 'seq', 'seq', 'length(payload)'],
  ['progress', 'seq', 'seq', 'coalesce(length(note), 0)'],
  ['attempts', 'seq', 'seq', 'coalesce(length(error), 0)'],
  ['idempotency_keys', 'idempotency_key', 'seq', 'length(idempotency_key)'],
  ['subjects', 'subject_key', 'latest_seq', 'length(subject_key)'],
] as const

export interface StepReply {
  /** Rows that were looked at. */
  readonly rows: number
  /** The key of the last one: where the next step begins; null: there are no more. */
  readonly last: Key | null
  /** How many of them are wrong, and the first of those. */
  readonly wrong: number
  readonly firstWrong: Key | null
}

/** Null: there is no job, or none was ever given. */
interface HighestRow {
  readonly seq: number | null
  readonly lastSeq: number | null
}

type Key = string | number
/** Its key, whether it is wrong, and how long it is: a length is known only once the last overflow page was read. */
type StepRow = readonly [own: Key, isWrong: 0 | 1, characters: number]

/** Reads a job whole, and looks whether its payload is there. */
const jobsStep = `SELECT seq, payload = '' AND NOT EXISTS (SELECT 1 FROM payloads WHERE payloads.seq = jobs.seq),
  length(payload) + coalesce(length(result), 0) + coalesce(length(artifacts), 0) FROM jobs WHERE seq > ? ORDER BY seq`

const sideStep = ([table, key, seq, characters]: (typeof sideTables)[number]) =>
  `SELECT ${key}, NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.seq = ${table}.${seq}), ${characters}
  FROM ${table} WHERE ${key} > ? ORDER BY ${key}`

export const integritySql = {
  jobsStep,
  ...Object.fromEntries(sideTables.map((side) => [`${side[0]}Step`, sideStep(side)])),
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
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #jobsStep: Statement<[Key], StepRow>

  constructor(database: Database, clock: Pick<Clock, 'monotonicMs'> = systemClock) {
    this.#database = database
    this.#clock = clock
    this.#jobsStep = database.prepare<[Key], StepRow>(jobsStep).raw()
  }

  /** Unlike before once somebody else has written. */
  version(): number {
    return readNumber(this.#database, 'PRAGMA data_version')
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

  /**
   * Looks at some jobs, up to the first that cannot be read.
   *
   * @param after number of the last one that was looked at; 0: from the first
   * @throws what SQLite says where it cannot read the very first of them
   */
  jobsStep(after: number): StepReply {
    return this.#readStep(this.#jobsStep, after, true)
  }

  /** Reads the next job that there is. @throws what SQLite says where it cannot */
  nextJob(after: number): void {
    this.#jobsStep.get(after)
  }

  /** Looks at some rows beside the jobs. @param after key of the last one; undefined: from the first */
  sideStep(table: string, after: Key | undefined): StepReply {
    const found = sideTables.find(([name]) => name === table)
    if (found === undefined) return nothing
    // Texts come after all numbers, and an empty one before all others.
    const from = after ?? (found[1] === 'seq' ? -1 : '')
    return this.#readStep(this.#database.prepare<[Key], StepRow>(sideStep(found)).raw(), from)
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

  /** The highest number of a job, and the highest that was ever given. */
  highest(): HighestRow | undefined {
    return this.#database.prepare<[], HighestRow>(integritySql.highest).get()
  }

  /**
   * Row by row, so that it ends after a long one too. Rows with the same key are not parted: the next step begins behind it.
   *
   * @param endsAtDamage what was read before it counts, and the next step fails at once: only where no two rows have one key
   */
  #readStep(statement: Statement<[Key], StepRow>, after: Key, endsAtDamage = false): StepReply {
    let rows = 0
    let last: Key | null = null
    let wrong = 0
    let firstWrong: Key | null = null
    let left = charactersPerStep
    const endMs = this.#clock.monotonicMs() + stepMs
    try {
      for (const [own, isWrong, characters] of statement.iterate(after)) {
        if ((rows >= rowsPerStep || left <= 0) && own !== last) break
        rows++
        last = own
        left -= characters
        if (rows % rowsPerLook === 0 && this.#clock.monotonicMs() > endMs) left = 0
        if (isWrong === 0) continue
        wrong++
        firstWrong ??= own
      }
    } catch (error) {
      if (rows === 0 || !endsAtDamage) throw error
    }
    return { rows, last, wrong, firstWrong }
  }
}

const nothing: StepReply = { rows: 0, last: null, wrong: 0, firstWrong: null }
