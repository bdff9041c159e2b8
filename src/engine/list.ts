import { describe, engineError, invalidOption } from '../errors.ts'
import { criterionChecks, isCriterion } from '../job/criteria.ts'
import { checkFields, checkNumber } from '../job/definition.ts'
import { type DatabaseId, decodeJobId } from '../job/id.ts'
import { isJobState, type JobState, jobStates } from '../job/state.ts'
import type { ListReply, ListRequest } from '../store/messages.ts'
import { type JobPlace, type JobRecord, toJobRecord } from './job-record.ts'

/** Which jobs `list` gives. All conditions must hold. */
export interface ListFilter {
  readonly state?: JobState
  readonly queue?: string
  readonly jobType?: string
  /** Jobs whose subject key begins so. */
  readonly subjectPrefix?: string
  /** Jobs enqueued with this `userTag`. */
  readonly userTag?: string
  /** Jobs enqueued with this `chainGroupId`. */
  readonly chainGroupId?: string
  /** Jobs that a handler of this job enqueued. */
  readonly parentJobId?: string
  /** Where to go on: the `cursor` of the page before. */
  readonly cursor?: string | undefined
  /** Jobs in a page, 1 to 1,000. Default 100. */
  readonly limit?: number
}

export interface JobPage<Item> {
  readonly jobs: readonly Item[]
  /** Where the next page begins; undefined: there is none. */
  readonly cursor: string | undefined
}

const filterNames: ReadonlySet<string> = new Set<keyof ListFilter>([
  'state',
  'queue',
  'jobType',
  'subjectPrefix',
  'userTag',
  'chainGroupId',
  'parentJobId',
  'cursor',
  'limit',
])

function checkListFilter(filter: ListFilter): Omit<ListRequest, 'before' | 'parent'> {
  checkFields('filter', filter)
  for (const [name, value] of Object.entries(filter)) {
    if (!filterNames.has(name)) throw invalidOption(name, 'not a filter of list', [...filterNames].join(', '))
    if (value === undefined) continue
    if (isCriterion(name)) criterionChecks[name](value)
    else if (name !== 'limit' && typeof value !== 'string')
      throw invalidOption(name, describe(value), 'a text')
  }
  const { state, limit = 100, cursor: _cursor, parentJobId: _parent, ...criteria } = filter
  if (state !== undefined && !isJobState(state))
    throw invalidOption('state', describe(state), jobStates.join(', '))
  checkNumber('limit', limit, 1, 1_000, true)
  return { state, criteria, limit }
}

/** @throws OPTION_INVALID, CURSOR_INVALID, JOB_ID_INVALID */
export function toListRequest(databaseId: DatabaseId, filter: ListFilter): ListRequest {
  return {
    ...checkListFilter(filter),
    parent: filter.parentJobId === undefined ? undefined : decodeJobId(databaseId, filter.parentJobId),
    before: decodeCursor(filter.cursor),
  }
}

export function toJobPage(place: JobPlace, { rows, before }: ListReply): JobPage<JobRecord> {
  return { jobs: rows.map((row) => toJobRecord(place, row)), cursor: encodeCursor(before) }
}

const cursorPattern = /^before_([0-9a-z]{1,11})$/

function encodeCursor(before: number | undefined): string | undefined {
  return before === undefined ? undefined : `before_${before.toString(36)}`
}

/** @throws CURSOR_INVALID */
function decodeCursor(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined
  const match = cursorPattern.exec(cursor)
  const before = Number.parseInt(match?.[1] ?? '', 36)
  if (!Number.isSafeInteger(before)) {
    throw engineError('CURSOR_INVALID', {
      found: `${describe(cursor)} is not a cursor`,
      allowed: 'the cursor of a page that list gave',
      action: 'Leave it out to begin with the newest job.',
    })
  }
  return before
}
