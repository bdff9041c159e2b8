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
 * Fails the attempt and asks for the next one after `delayMs` instead of the backoff. It counts as an attempt.
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

export function verdictOf(thrown: unknown): Verdict {
  if (typeof thrown !== 'object' || thrown === null || !('verdict' in thrown)) return { kind: 'retry' }
  if (thrown.verdict === 'fatal') return { kind: 'fatal' }
  if (thrown.verdict === 'retry-after' && 'delayMs' in thrown && typeof thrown.delayMs === 'number') {
    return { kind: 'retry-after', delayMs: thrown.delayMs }
  }
  return { kind: 'retry' }
}
