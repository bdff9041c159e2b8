import { isFinal } from '../job/state.ts'
import type { Changes } from './changes.ts'
import { parsePolicy, seqOf } from './changes.ts'
import type { Claim } from './claims.ts'
import { addJob } from './enqueue.ts'
import { finish } from './finish.ts'
import type { CancelAnswer, RetryReply, RetryRequest } from './messages.ts'

/**
 * Cancels one job. One that has not begun ends now. The signal of one that runs is fired, and whatever its handler does
 * then, the job ends as CANCELLED; the request is durable, so that a restart does not run it again.
 */
export function applyCancel(changes: Changes, seq: number, now: number): CancelAnswer {
  const { writer, claims } = changes
  const claim = claims.get(seq)
  if (claim !== undefined) {
    if (claims.hold(claim)) finish(changes, claim, 'CANCELLED', null, now)
    else askToGiveWay(changes, claim, now)
    return 'cancelled'
  }
  const head = writer.jobHead(seqOf(seq))
  if (head === undefined) return 'unknown'
  if (isFinal(head.state)) return 'finished'
  // One that could not be recovered: the next start ends it.
  if (head.state === 'RUNNING') writer.jobRequestCancel(head.seq, now)
  else changes.endWaiting(head, 'CANCELLED', now, null)
  return 'cancelled'
}

/** Has a job end as CANCELLED whose handler has begun. */
export function askToGiveWay(changes: Changes, claim: Claim, now: number): void {
  changes.writer.jobRequestCancel(claim.seq, now)
  changes.claims.doom(claim, { cancelRequested: true })
  changes.abortAfterCommit(claim, 'cancelled')
}

/** Ends claims that are held, all with one statement: one by one thousands would keep everybody else waiting. */
export function cancelHeld(changes: Changes, held: readonly Claim[], now: number): void {
  changes.writer.cancels.endClaimed(held, now)
  for (const claim of held) {
    const attempt = claim.attempt - 1
    changes.claims.end(claim)
    changes.forgetTimes(claim.seq, claim.policy)
    changes.reportSettled(claim, () => cancelled, attempt)
    changes.transitions?.record({ ...claim, attempt }, 'RUNNING', 'CANCELLED')
    changes.releaseNext(claim.fate.supersededBy)
  }
}

const cancelled = {
  state: 'CANCELLED',
  result: undefined,
  failure: undefined,
  supersededBy: undefined,
} as const

/** Adds a new job like a finished one. */
export function applyRetry(changes: Changes, { seq, traceparent }: RetryRequest, now: number): RetryReply {
  const row = changes.writer.jobGet(seqOf(seq))
  if (row === undefined) return { kind: 'unknown' }
  if (!isFinal(row.state)) return { kind: 'not-finished', state: row.state }
  if (!changes.jobTypes.get(row.jobType).isServed) return { kind: 'no-handler', jobType: row.jobType }
  const { jobType, queue, priority, payload, subjectKey, policy, parent } = row
  const { userTag, chainGroupId } = row
  const job = {
    jobType,
    queue,
    priority,
    payload,
    subjectKey,
    generation: null,
    policy: withoutTimes(policy),
    retriedFrom: row.seq,
    parent,
    userTag,
    chainGroupId,
    traceparent: traceparent ?? row.traceparent,
  }
  return { kind: 'retried', seq: addJob(changes, job, {}, now).seq, jobType }
}

/** What was to have begun by some time is wanted now. */
function withoutTimes(policy: string | null): string | null {
  const { retry, timeoutMs } = parsePolicy(policy) ?? {}
  if (retry === undefined && timeoutMs === undefined) return null
  return JSON.stringify({ retry, timeoutMs })
}
