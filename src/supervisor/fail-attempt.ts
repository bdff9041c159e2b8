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
  const policy = claim.jobType.retryPolicy(claim.policy)
  if (verdict.kind === 'fatal' || failures >= policy.maxAttempts) {
    finish(changes, claim, 'FAILED', startedAt, now, failure)
    return
  }
  const delayMs =
    verdict.kind === 'retry-after' ? verdict.delayMs : backoffDelayMs(policy, failures, changes.random())
  if (skippedStateAt(claim.policy, claim.attempt + 1, now + delayMs) !== undefined) {
    finish(changes, claim, 'FAILED', startedAt, now, failure)
    return
  }
  const isBack = putBack(changes, claim, { runAt: now + delayMs, startedAt, now, suspicion: 0, failures })
  if (isBack) {
    const failed = failedAttempt(claim, failure, startedAt, now)
    changes.report({ kind: 'job-retried', ...failed, state: 'SCHEDULED', delayMs })
  }
}
