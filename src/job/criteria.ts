import { describe, invalidOption } from '../errors.ts'
import { checkFields } from './definition.ts'
import { checkKey, checkLabel, checkQueue } from './spec.ts'

/** Which jobs are meant: those of which everything that is given here is true. */
export interface JobCriteria {
  /** Jobs enqueued with this `userTag`. */
  readonly userTag?: string
  /** Jobs enqueued with this `chainGroupId`. */
  readonly chainGroupId?: string
  readonly queue?: string
  /** Jobs whose subject key begins so. */
  readonly subjectPrefix?: string
  readonly jobType?: string
}

/** The same as callers may write it, with the short names of the command line. */
export interface GivenCriteria extends JobCriteria {
  /** Short for `userTag`. */
  readonly tag?: string
  /** Short for `chainGroupId`. */
  readonly group?: string
}

/** What criteria look at. A job keeps it for life, so that who matches once matches always. */
export interface MatchedFacts {
  readonly userTag: string | null
  readonly chainGroupId: string | null
  readonly queue: string
  readonly subjectKey: string | null
  readonly jobType: string
}

/** By criterion. Each throws OPTION_INVALID when no job can have the value. */
export const criterionChecks: Readonly<Record<keyof JobCriteria, (value: unknown) => void>> = {
  userTag: (value) => checkLabel('userTag', value),
  chainGroupId: (value) => checkLabel('chainGroupId', value),
  queue: checkQueue,
  subjectPrefix: (value) => checkKey('subjectPrefix', value),
  jobType: (value) => checkLabel('jobType', value),
}

/**
 * The criteria, checked, as they are now. A field that is `undefined` is refused and not left out: what was meant for
 * the jobs of one tag must not cancel a whole queue because a variable was empty.
 *
 * @throws OPTION_INVALID naming the field
 */
export function checkCancelCriteria(given: GivenCriteria): JobCriteria {
  checkFields('criteria', given)
  const criteria = withFullNames(given)
  const names = Object.keys(criteria)
  if (names.length === 0)
    throw invalidOption('criteria', 'an object without fields', `at least one of ${allowedNames}`)
  for (const name of names) {
    if (!isCriterion(name)) throw invalidOption(name, 'not a criterion of cancel', allowedNames)
    if (criteria[name] === undefined)
      throw invalidOption(name, describe(undefined), 'a text, or no such field')
    criterionChecks[name](criteria[name])
  }
  return { ...criteria }
}

const shortNames = [
  ['tag', 'userTag'],
  ['group', 'chainGroupId'],
] as const

/** @throws OPTION_INVALID when something is given by both of its names */
function withFullNames(given: GivenCriteria): JobCriteria {
  const { tag: _tag, group: _group, ...criteria } = given
  for (const [short, name] of shortNames) {
    if (!Object.hasOwn(given, short)) continue
    if (Object.hasOwn(given, name)) throw invalidOption(short, `given beside ${name}`, 'one of the two')
    Object.assign(criteria, { [name]: given[short] })
  }
  return criteria
}

export function matchesCriteria(criteria: JobCriteria, job: MatchedFacts): boolean {
  const { userTag, chainGroupId, queue, subjectPrefix, jobType } = criteria
  return (
    (userTag === undefined || job.userTag === userTag) &&
    (chainGroupId === undefined || job.chainGroupId === chainGroupId) &&
    (queue === undefined || job.queue === queue) &&
    (jobType === undefined || job.jobType === jobType) &&
    (subjectPrefix === undefined || (job.subjectKey?.startsWith(subjectPrefix) ?? false))
  )
}

const allowedNames = Object.keys(criterionChecks).join(', ')

export function isCriterion(name: string): name is keyof JobCriteria {
  return Object.hasOwn(criterionChecks, name)
}
