import type { JobRecord } from '../engine/job-record.ts'
import type { ListFilter } from '../engine/list.ts'
import { StoredJobs } from '../engine/stored-jobs.ts'
import { describe, invalidOption } from '../errors.ts'
import { isJobState, type JobState, jobStates } from '../job/state.ts'
import { databaseOf } from './database-of.ts'
import { exitCodes } from './exit-codes.ts'
import { inColumns, jobAsJson } from './job-text.ts'
import { printable } from './printable.ts'
import type { SettingFlags } from './setting-flags.ts'

export interface ListCommandOptions extends Pick<SettingFlags, 'config' | 'database'> {
  readonly tag?: string
  readonly group?: string
  readonly parent?: string
  readonly state?: string
  readonly queue?: string
  readonly type?: string
  readonly limit?: number
  readonly json?: boolean
}

const defaultLimit = 50
/** What one page of a list may hold. */
const maxPage = 1_000
/** What `semantica index` keeps in the directory that it indexes. */
export const defaultDatabase = '.semantica/tasks.db'

export async function runList(options: ListCommandOptions): Promise<number> {
  const { json = false, limit = defaultLimit } = options
  const database = await databaseOf(options, defaultDatabase)
  const filter = filterOf(options)
  using stored = new StoredJobs(database)
  const jobs = listUpTo(stored, filter, limit)
  if (json) process.stdout.write(`${JSON.stringify(jobs.map(jobAsJson))}\n`)
  else process.stdout.write(asTable(jobs))
  if (jobs.length > 0) return exitCodes.ok
  if (!json) process.stderr.write(`semantica: no such job in ${printable(database)}\n`)
  return exitCodes.incomplete
}

function listUpTo(stored: StoredJobs, filter: ListFilter, limit: number): JobRecord[] {
  const jobs: JobRecord[] = []
  let cursor: string | undefined
  do {
    const page = stored.list({ ...filter, limit: Math.min(limit - jobs.length, maxPage), cursor })
    jobs.push(...page.jobs)
    cursor = page.cursor
  } while (cursor !== undefined && jobs.length < limit)
  return jobs
}

function filterOf({ tag, group, parent, state, queue, type }: ListCommandOptions): ListFilter {
  return {
    ...(tag === undefined ? {} : { userTag: tag }),
    ...(group === undefined ? {} : { chainGroupId: group }),
    ...(parent === undefined ? {} : { parentJobId: parent }),
    ...(state === undefined ? {} : { state: toState(state) }),
    ...(queue === undefined ? {} : { queue }),
    ...(type === undefined ? {} : { jobType: type }),
  }
}

function toState(text: string): JobState {
  const state = text.toUpperCase()
  if (isJobState(state)) return state
  throw invalidOption('--state', describe(text), jobStates.join(', '))
}

/** Columns that are empty for all of them are left out. */
function asTable(jobs: readonly JobRecord[]): string {
  const columns: readonly (readonly [title: string, of: (job: JobRecord) => string | undefined])[] = [
    ['ID', ({ id }) => id],
    ['STATE', ({ state }) => state],
    ['TYPE', ({ jobType }) => jobType],
    ['QUEUE', ({ queue }) => queue],
    ['CREATED', ({ createdAt }) => createdAt.toISOString()],
    ['TAG', ({ userTag }) => userTag],
    ['GROUP', ({ chainGroupId }) => chainGroupId],
    ['PARENT', ({ parentJobId }) => parentJobId],
    [
      'SUMMARY',
      ({ resultSummary }) => (resultSummary === undefined ? undefined : JSON.stringify(resultSummary)),
    ],
  ]
  const shown = columns.filter(([, of]) => jobs.some((job) => of(job) !== undefined))
  return jobs.length === 0
    ? ''
    : inColumns([shown.map(([title]) => title), ...jobs.map((job) => shown.map(([, of]) => of(job) ?? '-'))])
}
