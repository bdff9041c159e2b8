import { skippedStateAt } from '../job/expiration.ts'
import { backoffDelayMs } from '../job/retry.ts'
import type { Verdict } from '../job/verdict.ts'
import type { Changes } from './changes.ts'
import type { Claim } from './claims.ts'
import { failedAttempt } from './failed-attempt.ts'
import { finish, putBack } from './finish.ts'
import type { JobFailure } from './messages.ts'

/** Records a failed attempt; the job is tried again or ends as its policy and the verdict say. */
export function failAttempt(
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
  const delayMs = retryDelayMs(changes, claim, verdict, now)
  if (delayMs === undefined) {
    finish(changes, claim, 'FAILED', startedAt, now, failure)
    return
  }
  const isBack = putBack(changes, claim, { runAt: now + delayMs, startedAt, now, suspicion: 0, failures })
  if (isBack) {
    const failed = failedAttempt(claim, failure, startedAt, now)
    changes.report({ kind: 'job-retried', ...failed, state: 'SCHEDULED', delayMs })
  }
}

/**
 * How long after a failed attempt the next one begins. Undefined: none does, since none is left, or it could begin only
 * after the deadline.
 */
export function retryDelayMs(
  changes: Changes,
  failed: Pick<Claim, 'jobType' | 'policy' | 'attempt' | 'failures'>,
  verdict: Verdict,
  now: number,
): number | undefined {
  const failures = failed.failures + 1
  const policy = failed.jobType.retryPolicy(failed.policy)
  if (verdict.kind === 'fatal' || failures >= policy.maxAttempts) return undefined
  const delayMs =
    verdict.kind === 'retry-after' ? verdict.delayMs : backoffDelayMs(policy, failures, changes.random())
  const skipped = skippedStateAt(failed.policy, failed.attempt + 1, now + delayMs)
  return skipped === undefined ? delayMs : undefined
}
