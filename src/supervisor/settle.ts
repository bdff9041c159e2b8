/**
 * Records how attempts ended, and decides what comes next.
 *
 * An outcome counts only while the claim is still the batch's: of a job that was taken back, or settled by somebody
 * else, nothing happens.
 */
import { unreachable } from '../errors.ts'
import type { AttemptEnd, Outcomes } from '../execution/messages.ts'
import { backoffDelayMs } from '../job/retry.ts'
import type { Verdict } from '../job/verdict.ts'
import type { DispatchedBatch } from './batch.ts'
import type { Changes } from './changes.ts'
import type { Claim } from './claims.ts'
import { addJob, factsOf } from './enqueue.ts'
import { finish, putBack } from './finish.ts'
import type { JobFailure } from './messages.ts'

/** How long a job waits that an actor's restart interrupted: the actor needs about this long to come back. */
const interruptedDelayMs = 100

export function applyOutcomes(changes: Changes, batch: DispatchedBatch, outcomes: Outcomes): void {
  const now = changes.clock.wallMs()
  const nowMonotonicMs = changes.clock.monotonicMs()
  // The threads' clocks agree to a fraction of a millisecond: an attempt must not seem to begin after it ended.
  const startedAt = (index: number) =>
    Math.min(now, Math.round(now - (nowMonotonicMs - batch.control.startedAtMs(index))))
  for (const [place, index] of outcomes.succeeded.entries()) {
    const claim = batch.claims[index]
    if (claim === undefined || !batch.holds(claim)) continue
    claim.jobType.observe(batch.control.costMs(index))
    settleDone(changes, claim, outcomes.results?.[place], startedAt(index), now)
  }
  for (const end of outcomes.others) {
    const claim = batch.claims[end.index]
    if (claim === undefined || !batch.holds(claim)) continue
    claim.jobType.observe(batch.control.costMs(end.index))
    applyEnd(changes, claim, end, startedAt(end.index), now)
  }
}

function applyEnd(changes: Changes, claim: Claim, end: AttemptEnd, startedAt: number, now: number): void {
  switch (end.kind) {
    case 'succeeded-with-children':
      if (!settleDone(changes, claim, end.result, startedAt, now)) return
      for (const child of end.children) {
        addJob(
          changes,
          factsOf(child.jobType, child.payload, child.options, claim.seq),
          child.options ?? {},
          now,
        )
      }
      return
    case 'failed':
      failAttempt(changes, claim, { cause: end.cause, error: end.error }, end.verdict, startedAt, now)
      return
    case 'interrupted':
      putBack(changes, claim, { runAt: now + interruptedDelayMs, startedAt, now, suspicion: 0 })
      return
    case 'gave-way':
      break
    default:
      unreachable(end)
  }
  switch (end.reason) {
    case 'timed-out':
      failAttempt(changes, claim, { cause: 'TIMED_OUT', error: end.error }, end.verdict, startedAt, now)
      return
    case 'stopping':
      if (putBack(changes, claim, { runAt: undefined, startedAt, now, suspicion: 0 })) {
        changes.afterCommit(() => {
          changes.gaveWay++
        })
      }
      return
    case 'cancelled':
      finish(changes, claim, 'CANCELLED', startedAt, now)
      return
    case 'superseded':
    case 'none':
      putBack(changes, claim, { runAt: undefined, startedAt, now, suspicion: 0 })
      return
    default:
      unreachable(end.reason)
  }
}

function settleDone(
  changes: Changes,
  claim: Claim,
  result: string | undefined,
  startedAt: number,
  now: number,
): boolean {
  if (claim.fate.cancelRequested) {
    finish(changes, claim, 'CANCELLED', startedAt, now)
    return false
  }
  const settled = changes.writer.jobSettleDone(claim.seq, claim.attempt, claim.queue, startedAt, now, result)
  changes.claims.end(claim)
  if (settled) {
    changes.reportSettled(claim, { state: 'DONE', result, failure: undefined, supersededBy: undefined })
    changes.releaseNext(claim.fate.supersededBy)
  }
  return settled
}

function failAttempt(
  changes: Changes,
  claim: Claim,
  failure: JobFailure,
  verdict: Verdict,
  startedAt: number,
  now: number,
): void {
  changes.recordAttempt(claim, failure, startedAt, now)
  if (claim.fate.cancelRequested) {
    finish(changes, claim, 'CANCELLED', startedAt, now)
    return
  }
  const failures = claim.failures + 1
  const policy = claim.jobType.retryPolicy(claim.policy)
  if (verdict.kind === 'fatal' || failures >= policy.maxAttempts) {
    finish(changes, claim, 'FAILED', startedAt, now, failure)
    return
  }
  const delayMs =
    verdict.kind === 'retry-after' ? verdict.delayMs : backoffDelayMs(policy, failures, changes.random())
  const isBack = putBack(changes, claim, { runAt: now + delayMs, startedAt, now, suspicion: 0, failures })
  if (isBack) {
    changes.report({
      kind: 'job-retried',
      seq: claim.seq,
      jobType: claim.jobType.name,
      attempt: claim.attempt,
      failure,
      delayMs,
    })
  }
}
