/**
 * What a handler may throw to decide the fate of its attempt. Recognised by `verdict`, not by class, so that a
 * handler that loads another copy of this package is understood too.
 */

/** Ends the job as FAILED at once, whatever attempts are left. */
export class Fatal extends Error {
  readonly verdict = 'fatal'

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Fatal'
  }
}

/**
 * Fails the attempt and asks for the next one after `delayMs` (at most a year) instead of the backoff. It counts as an
 * attempt.
 *
 * @example throw new RetryAfter(30_000, 'rate limited')
 */
export class RetryAfter extends Error {
  readonly verdict = 'retry-after'
  readonly delayMs: number

  constructor(delayMs: number, message = `Retry after ${delayMs} ms`, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RetryAfter'
    if (!Number.isFinite(delayMs) || delayMs < 0)
      throw new RangeError(`RetryAfter needs a delay of 0 or more, got ${delayMs}`)
    this.delayMs = delayMs
  }
}

export type Verdict =
  | { readonly kind: 'retry' }
  | { readonly kind: 'fatal' }
  | { readonly kind: 'retry-after'; readonly delayMs: number }

/** The longest wait that a handler can ask for: one year. A longer one is cut. */
export const maxRetryAfterMs = 31_536_000_000

/** Reads the verdict of anything that was thrown, into whole milliseconds within the bound. Never throws. */
export function verdictOf(thrown: unknown): Verdict {
  try {
    if (typeof thrown !== 'object' || thrown === null || !('verdict' in thrown)) return { kind: 'retry' }
    if (thrown.verdict === 'fatal') return { kind: 'fatal' }
    const delayMs = thrown.verdict === 'retry-after' && 'delayMs' in thrown ? thrown.delayMs : undefined
    // Another copy of this package, or something that only looks like it, has not checked its delay.
    if (typeof delayMs !== 'number' || !(delayMs >= 0)) return { kind: 'retry' }
    return { kind: 'retry-after', delayMs: Math.ceil(Math.min(delayMs, maxRetryAfterMs)) }
  } catch {
    return { kind: 'retry' }
  }
}
