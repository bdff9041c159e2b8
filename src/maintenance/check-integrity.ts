/**
 * Looks whether the database is whole: whether SQLite can read all of it, and whether what belongs together is there. It
 * repairs nothing: what it finds is told, with a stable code, and a person decides.
 *
 * A small database is checked by SQLite itself, table by table, with its indexes. Of a large one that would take a snapshot
 * of many seconds, with the WAL growing all the while: there every row is read in short steps instead, which finds damaged
 * pages of rows, but not of indexes. Behind such a page the reading of jobs goes on, that of other tables ends. A backup
 * can be checked as a whole at any time. While others write there is a rest after each step: a WAL that somebody reads at
 * every moment never begins anew.
 */
import { delay, systemClock } from '../clock.ts'
import { engineError, hasCode, toPlainError } from '../errors.ts'
import { fromSqliteError } from '../store/database-errors.ts'
import { IntegrityReader } from '../store/integrity.ts'
import { pageBytes } from '../store/open.ts'
import type { Duty, DutyReport, DutySurroundings } from './duty.ts'
import { readSize } from './read-size.ts'

/** A second's reading, about. */
const wholeCheckBytes = 256_000_000
const countedAtOnce = 1_000_000
/** A rest is as long as the step was, and no longer than this. */
const longestRestMs = 20
/** Findings that are told; more say nothing new. */
const maxFindings = 20

/** What may be checked otherwise in tests. */
export interface IntegrityBounds {
  /** Up to this size SQLite checks whole tables. */
  readonly wholeCheckBytes: number
  /** Up to so many jobs are counted. */
  readonly countedAtOnce: number
}

export class CheckIntegrity implements Duty {
  readonly name = 'check-integrity'
  readonly #database: DutySurroundings['database']
  readonly #reader: IntegrityReader
  readonly #bounds: IntegrityBounds
  readonly #slices: Generator<void>
  readonly #findings: string[] = []
  readonly #leftOut: string[] = []
  #examined = 0
  #version: number | undefined

  constructor(
    { database }: Pick<DutySurroundings, 'database'>,
    bounds: IntegrityBounds = { wholeCheckBytes, countedAtOnce },
  ) {
    this.#database = database
    this.#reader = new IntegrityReader(database)
    this.#bounds = bounds
    this.#slices = this.#run()
  }

  /** @throws DATABASE_CORRUPT at the end, with `details.findings`, when the database is damaged */
  async runOnce(): Promise<boolean> {
    const startMs = systemClock.monotonicMs()
    if (this.#slices.next().done === true) return false
    const version = this.#guarded('the header', () => this.#reader.version())
    if (version !== this.#version) await delay(Math.min(systemClock.monotonicMs() - startMs, longestRestMs))
    this.#version = version
    return true
  }

  report(): DutyReport {
    return {
      duty: this.name,
      deletedJobs: 0,
      deletedEarly: 0,
      deletedArtifacts: 0,
      reclaimedBytes: 0,
      examined: this.#examined,
      details: this.#leftOut.length > 0 ? `left out for its size: ${this.#leftOut.join(', ')}` : undefined,
    }
  }

  *#run(): Generator<void> {
    yield* this.#checkTables()
    yield* this.#readJobs()
    for (const table of this.#reader.sideTables) yield* this.#readSide(table)
    this.#guarded('the counters', () => this.#compareCounters())
    if (this.#findings.length > 0) throw damaged(this.#database.name, this.#findings)
  }

  *#checkTables(): Generator<void> {
    const isSmall = this.#guarded(
      'the header',
      () => readSize(this.#database).pages * pageBytes <= this.#bounds.wholeCheckBytes,
    )
    if (isSmall !== true) {
      this.#leftOut.push('indexes')
      return
    }
    for (const table of this.#guarded('the schema', () => this.#reader.tables()) ?? []) {
      this.#guarded(`table ${table}`, () => {
        for (const line of this.#reader.checkTable(table)) this.#found(`table ${table}: ${line}`)
      })
      yield
    }
  }

  /** Those that are there now: where jobs come as fast as they are read it would never end. */
  *#readJobs(): Generator<void> {
    const { seq = null, lastSeq = null } = this.#guarded('the last job', () => this.#reader.highest()) ?? {}
    if (seq !== null && lastSeq !== null && seq > lastSeq)
      this.#found(`job number ${seq} is above the highest that was ever given`)
    // Where the last one cannot be read, all that can be is; where there is none, the first step finds the end.
    const highest = seq ?? Number.MAX_SAFE_INTEGER
    for (let after: number | undefined = 0; after !== undefined; ) {
      const from: number = after
      const step = this.#guarded(`the jobs after number ${from}`, () => this.#reader.jobsStep(from))
      if (step === undefined) {
        after = yield* this.#behindDamage(from, highest)
        continue
      }
      this.#examined += step.rows
      if (step.wrong > 0)
        this.#found(`${step.wrong} jobs have lost their payload, the first is number ${step.firstWrong}`)
      after = typeof step.last === 'number' && step.last < highest ? step.last : undefined
      yield
    }
  }

  /** A number after which jobs can be read again, close behind the damage; undefined: there is none. */
  *#behindDamage(from: number, highest: number): Generator<void, number | undefined> {
    let damaged = from
    let readable = from + 1
    while (!this.#isReadable(readable)) {
      yield
      if (readable >= highest) return undefined
      damaged = readable
      readable = Math.min(from + 2 * (readable - from), highest)
    }
    while (readable - damaged > 1) {
      yield
      const between = damaged + Math.floor((readable - damaged) / 2)
      if (this.#isReadable(between)) readable = between
      else damaged = between
    }
    return readable
  }

  #isReadable(after: number): boolean {
    try {
      this.#reader.nextJob(after)
      return true
    } catch (error) {
      this.#assertDamage(error)
      return false
    }
  }

  *#readSide(table: string): Generator<void> {
    for (
      let after: string | number | undefined, isFirst = true;
      isFirst || after !== undefined;
      isFirst = false
    ) {
      const from: string | number | undefined = after
      const step = this.#guarded(`table ${table}`, () => this.#reader.sideStep(table, from))
      if (step === undefined) return
      this.#examined += step.rows
      if (step.wrong > 0)
        this.#found(
          `${step.wrong} rows of ${table} belong to no job, the first is ${JSON.stringify(step.firstWrong)}`,
        )
      after = step.last ?? undefined
      yield
    }
  }

  #compareCounters(): void {
    if (this.#reader.countedJobs() > this.#bounds.countedAtOnce) {
      this.#leftOut.push('counters')
      return
    }
    for (const { queue, state, excess } of this.#reader.wrongCounters())
      this.#found(`the counter of ${state} in queue ${queue} is wrong by ${excess}`)
  }

  #found(finding: string): void {
    if (this.#findings.length < maxFindings) this.#findings.push(finding)
  }

  /** What SQLite cannot read is a finding; the rest is looked at all the same. */
  #guarded<Result>(what: string, read: () => Result): Result | undefined {
    try {
      return read()
    } catch (error) {
      this.#assertDamage(error)
      this.#found(`${what} cannot be read: ${toPlainError(error).message}`)
      return undefined
    }
  }

  /** @throws whatever else it is */
  #assertDamage(error: unknown): void {
    const known = fromSqliteError(error, this.#database.name)
    if (!hasCode(known, 'DATABASE_CORRUPT')) throw known
  }
}

function damaged(path: string, findings: readonly string[]): Error {
  return engineError('DATABASE_CORRUPT', {
    found: `${path} is damaged: ${findings.slice(0, 3).join('; ')}${findings.length > 3 ? '; …' : ''}`,
    action: 'Nothing was changed. Keep a copy of the file together with its -wal, then restore a backup.',
    details: { path, findings },
  })
}
