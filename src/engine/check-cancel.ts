import { describe, invalidOption } from '../errors.ts'
import { checkCancelCriteria, type GivenCriteria, type JobCriteria } from '../job/criteria.ts'
import { type DatabaseId, decodeJobId } from '../job/id.ts'

type Wanted =
  | { readonly kind: 'one' | 'several'; readonly seqs: readonly number[] }
  | { readonly kind: 'matching'; readonly criteria: JobCriteria }

/** What is to be cancelled. @throws OPTION_INVALID, JOB_ID_INVALID */
export function checkCancel(database: DatabaseId, jobs: string | readonly string[] | GivenCriteria): Wanted {
  if (typeof jobs === 'string') return { kind: 'one', seqs: [decodeJobId(database, jobs)] }
  // Not `map`, which passes over holes.
  if (isList(jobs))
    return { kind: 'several', seqs: Array.from(jobs, (jobId) => decodeJobId(database, jobId)) }
  if (typeof jobs !== 'object' || jobs === null)
    throw invalidOption('jobs', describe(jobs), 'a job id, an array of them, or criteria')
  if ('id' in jobs && typeof jobs.id === 'string')
    throw invalidOption('jobs', 'a job', 'the id of the job, as `job.id`, an array of them, or criteria')
  return { kind: 'matching', criteria: checkCancelCriteria(jobs) }
}

/** Told apart in a way that narrows a readonly array. */
function isList(jobs: readonly string[] | GivenCriteria): jobs is readonly string[] {
  return Array.isArray(jobs)
}
