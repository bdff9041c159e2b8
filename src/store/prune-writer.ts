/**
 * Deletes what is past its retention, with all that hangs on it, and gives free pages back. Part of the job writer.
 *
 * Every statement looks again at what it deletes: what is asked for comes from a reader that has seen an older moment.
 */
import type { Database } from 'better-sqlite3'
import type { ExpiryTimes } from '../job/expiration.ts'
import type { JobSeq } from '../job/id.ts'
import type { FinalState } from '../job/state.ts'
import type { Counters } from './counters.ts'
import type { Expirations } from './expirations.ts'
import { type Prepared, writeSql } from './write-statements.ts'

/** Neighbours of one queue that ended in the same way. */
export interface FinishedRun {
  readonly first: number
  readonly last: number
  readonly state: FinalState
  readonly queue: string
  /** Only those go that finished by then. */
  readonly finishedBy: number
  /** Only those that are about this subject; null: about none. */
  readonly subjectKey: string | null
}

const lastRunName = 'maintenance'

export class PruneWriter {
  readonly #database: Database
  readonly #counters: Counters
  readonly #expirations: Expirations
  readonly #sql: ReturnType<typeof preparePruning>

  constructor(database: Database, counters: Counters, expirations: Expirations) {
    this.#database = database
    this.#counters = counters
    this.#expirations = expirations
    this.#sql = preparePruning(database)
  }

  /** Deletes what of these jobs is as it is said to be; gives how many. What hangs on them is left for `dependentsDelete`. */
  jobsDelete({ first, last, state, queue, finishedBy, subjectKey }: FinishedRun): number {
    const { changes } = this.#sql.jobsDelete.run(first, last, state, queue, finishedBy, subjectKey)
    if (changes > 0) this.#counters.add(queue, state, -changes)
    return changes
  }

  /**
   * The same for one job of a subject. The subject goes with its last row; while there are others, its latest job stays:
   * it says which generation comes next. False: it stays.
   */
  jobOfSubjectDelete(run: FinishedRun, subjectKey: string): boolean {
    const subject = this.#sql.subjectJobs.get(subjectKey)
    if (subject !== undefined && subject.latestSeq === run.first && subject.jobs > 1) return false
    if (this.jobsDelete(run) === 0) return false
    if (subject === undefined || subject.jobs <= 1) this.#sql.subjectDelete.run(subjectKey)
    else this.#sql.subjectForget.run(subjectKey)
    return true
  }

  timesDelete(seq: JobSeq, times: ExpiryTimes): void {
    this.#expirations.remove(seq, times)
  }

  /** Deletes what belongs to jobs with these numbers that are not there any more. */
  dependentsDelete(first: number, last: number): void {
    this.#sql.attemptsDelete.run(first, last)
    this.#sql.payloadsDelete.run(first, last)
    this.#sql.progressDelete.run(first, last)
    this.#sql.idempotencyKeysDelete.run(first, last)
  }

  /** Moves pages from the end of the file to free ones and cuts it off there: so many pages at the most. */
  vacuum(pages: number): void {
    // Not a prepared statement: one that gives no columns would be left after its first step.
    this.#database.exec(`PRAGMA incremental_vacuum(${pages})`)
  }

  get pages(): number {
    return this.#sql.pageCount.get()?.page_count ?? 0
  }

  get freePages(): number {
    return this.#sql.freelistCount.get()?.freelist_count ?? 0
  }

  /** JSON of what was stored of the last run of maintenance. */
  lastRunGet(): string | undefined {
    const value = this.#sql.metaGet.get(lastRunName)?.value
    return typeof value === 'string' ? value : undefined
  }

  lastRunSet(text: string): void {
    this.#sql.metaSet.run(lastRunName, text)
  }

  /** Deletes the counters of queues that have no job, and forgets such queues. */
  emptyQueuesForget(): void {
    this.#sql.countersDeleteEmpty.run()
    this.#counters.forgetEmpty()
  }

  get createdAt(): number {
    return Number(this.#sql.metaGet.get('created_at')?.value ?? 0)
  }
}

function preparePruning(database: Database) {
  const prepare = <Parameters extends unknown[], Row = unknown>(sql: string): Prepared<Parameters, Row> =>
    database.prepare<Parameters, Row>(sql)
  return {
    jobsDelete: prepare<[number, number, FinalState, string, number, string | null]>(writeSql.jobsDelete),
    attemptsDelete: prepare<[number, number]>(writeSql.attemptsDelete),
    payloadsDelete: prepare<[number, number]>(writeSql.payloadsDelete),
    progressDelete: prepare<[number, number]>(writeSql.progressDelete),
    idempotencyKeysDelete: prepare<[number, number]>(writeSql.idempotencyKeysDelete),
    subjectJobs: prepare<[string], { latestSeq: JobSeq; jobs: number }>(writeSql.subjectJobs),
    subjectDelete: prepare<[string]>(writeSql.subjectDelete),
    subjectForget: prepare<[string]>(writeSql.subjectForget),
    countersDeleteEmpty: prepare<[]>(writeSql.countersDeleteEmpty),
    metaGet: prepare<[string], { value: unknown }>(writeSql.metaGet),
    metaSet: prepare<[string, unknown]>(writeSql.metaSet),
    pageCount: prepare<[], { page_count: number }>('PRAGMA page_count'),
    freelistCount: prepare<[], { freelist_count: number }>('PRAGMA freelist_count'),
  }
}
