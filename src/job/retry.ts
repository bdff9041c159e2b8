/** How often, and how soon, a failed attempt is followed by another. */
export interface RetryPolicy {
  /** Attempts in all that may fail before the job is FAILED. 1 to 1,000. Default 3; 1 means no retry. */
  readonly maxAttempts: number
  /** Wait before the second attempt, in milliseconds, 0 to 86,400,000 (a day). Default 1,000. */
  readonly backoffMs: number
  /** What the wait is multiplied by after each further failure, 1 to 100. Default 2. */
  readonly backoffFactor: number
  /** The longest wait, in milliseconds, before jitter, 0 to 604,800,000 (a week). Default 60,000. */
  readonly maxBackoffMs: number
  /** Share of the wait that is random, 0 to 1, so that jobs that failed together do not come back together. Default 0.2. */
  readonly jitter: number
}

export const defaultRetryPolicy: RetryPolicy = {
  maxAttempts: 3,
  backoffMs: 1_000,
  backoffFactor: 2,
  maxBackoffMs: 60_000,
  jitter: 0.2,
}

/** Bounds of each field, both ends included. */
export const retryBounds: Readonly<Record<keyof RetryPolicy, readonly [minimum: number, maximum: number]>> = {
  maxAttempts: [1, 1_000],
  backoffMs: [0, 86_400_000],
  backoffFactor: [1, 100],
  maxBackoffMs: [0, 604_800_000],
  jitter: [0, 1],
}

/**
 * The wait after the given failure: truncated exponential backoff with the wait spread evenly over
 * `[1 - jitter, 1]` of itself, so that the cap is never exceeded.
 *
 * @param failures how many attempts have failed, this one included; at least 1
 * @param random a number in [0, 1)
 */
export function backoffDelayMs(policy: RetryPolicy, failures: number, random: number): number {
  // Beyond about 1e308 the power is Infinity, and nothing times that is not a number.
  const growth = Math.min(policy.backoffFactor ** (failures - 1), Number.MAX_VALUE)
  const exponential = policy.backoffMs * growth
  const capped = Math.min(exponential, policy.maxBackoffMs)
  return Math.round(capped * (1 - policy.jitter * random))
}
