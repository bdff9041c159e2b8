/** Every statement that only reads, prepared once. Lives on the reader thread, never on the supervisor's. */
import type { Database, Statement } from 'better-sqlite3'
import { limits } from '../config.ts'
import { matchesCriteria } from '../job/criteria.ts'
import type { JobReading, ListReply, ListRequest } from './messages.ts'
import { type AttemptRow, type JobRow, jobRowColumns, type ProgressRow } from './rows.ts'

/** What a page reads at most, before it ends early: large payloads must not fill the memory. */
const charactersPerPage = 16_000_000

const newestFirst = `ORDER BY seq DESC LIMIT ${limits.rowsPerPage}`

export const readSql = {
  jobGet: `SELECT ${jobRowColumns} FROM jobs WHERE seq = ?`,
  jobsPage: `SELECT ${jobRowColumns} FROM jobs WHERE seq < ? ${newestFirst}`,
  jobsPageOfTag: `SELECT ${jobRowColumns} FROM jobs WHERE user_tag = ? AND seq < ? ${newestFirst}`,
  jobsPageOfGroup: `SELECT ${jobRowColumns} FROM jobs WHERE chain_group_id = ? AND seq < ? ${newestFirst}`,
  jobsPageOfParent: `SELECT ${jobRowColumns} FROM jobs WHERE parent_job_id = ? AND seq < ? ${newestFirst}`,
  jobAttempts: `SELECT seq, attempt, started_at AS startedAt, ended_at AS endedAt, cause, error
  FROM attempts WHERE seq = ? ORDER BY attempt`,
  jobProgress: `SELECT fraction, note, at FROM progress WHERE seq = ?`,
} as const

export class JobReader {
  readonly #jobGet: Statement<[number], JobRow>
  readonly #jobAttempts: Statement<[number], AttemptRow>
  readonly #jobProgress: Statement<[number], ProgressRow>
  readonly #jobsPage: Statement<[number], JobRow>
  readonly #jobsPageOfTag: Statement<[string, number], JobRow>
  readonly #jobsPageOfGroup: Statement<[string, number], JobRow>
  readonly #jobsPageOfParent: Statement<[number, number], JobRow>

  constructor(database: Database) {
    this.#jobGet = database.prepare<[number], JobRow>(readSql.jobGet)
    this.#jobAttempts = database.prepare<[number], AttemptRow>(readSql.jobAttempts)
    this.#jobProgress = database.prepare<[number], ProgressRow>(readSql.jobProgress)
    this.#jobsPage = database.prepare<[number], JobRow>(readSql.jobsPage)
    this.#jobsPageOfTag = database.prepare<[string, number], JobRow>(readSql.jobsPageOfTag)
    this.#jobsPageOfGroup = database.prepare<[string, number], JobRow>(readSql.jobsPageOfGroup)
    this.#jobsPageOfParent = database.prepare<[number, number], JobRow>(readSql.jobsPageOfParent)
  }

  /** The jobs that exist, in the order in which they were asked for. */
  get(seqs: readonly number[]): JobReading[] {
    return seqs.flatMap((seq) => {
      const row = this.#jobGet.get(seq)
      if (row === undefined) return []
      return [{ row, attempts: this.#jobAttempts.all(seq), progress: this.#jobProgress.get(seq) }]
    })
  }

  /**
   * One page, newest first. It examines a bounded number of rows, whatever the filter: it may come back short, or empty,
   * and still have a next page.
   */
  list(request: ListRequest): ListReply {
    const rows: JobRow[] = []
    let examined = 0
    let characters = 0
    let last = request.before ?? Number.MAX_SAFE_INTEGER
    for (const row of this.#newestBefore(last, request)) {
      examined++
      last = row.seq
      characters += row.payload.length + (row.result?.length ?? 0) + (row.artifacts?.length ?? 0)
      if (matches(row, request)) rows.push(row)
      if (rows.length === request.limit || characters >= charactersPerPage) return { rows, before: last }
    }
    return { rows, before: examined === limits.rowsPerPage ? last : undefined }
  }

  /** By the index that leaves the fewest rows to look at. */
  #newestBefore(before: number, { parent, criteria }: ListRequest): IterableIterator<JobRow> {
    const { chainGroupId, userTag } = criteria
    if (parent !== undefined) return this.#jobsPageOfParent.iterate(parent, before)
    if (chainGroupId !== undefined) return this.#jobsPageOfGroup.iterate(chainGroupId, before)
    if (userTag !== undefined) return this.#jobsPageOfTag.iterate(userTag, before)
    return this.#jobsPage.iterate(before)
  }
}

function matches(row: JobRow, request: ListRequest): boolean {
  const { state, parent, criteria } = request
  return (
    (state === undefined || row.state === state) &&
    (parent === undefined || row.parent === parent) &&
    matchesCriteria(criteria, row)
  )
}
