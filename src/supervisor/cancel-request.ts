import { type MatchedFacts, matchesCriteria } from '../job/criteria.ts'
import type { StoredCancelRequest } from '../store/cancel-writer.ts'
import type { CancelReport } from './messages.ts'

/** A cancel of many jobs that is under way. Replaced as a whole, so that a rollback can bring back the old. */
export interface CancelRequest extends StoredCancelRequest, CancelReport {
  /** Undefined: who asked was in a process that has ended. */
  readonly answer: ((report: CancelReport) => void) | undefined
}

/** Which of the requests is to end the job; undefined: it may start. */
export function requestFor(
  requests: readonly CancelRequest[],
  job: MatchedFacts & { readonly seq: number },
): CancelRequest | undefined {
  return requests.find(({ criteria, lastSeq }) => job.seq <= lastSeq && matchesCriteria(criteria, job))
}
