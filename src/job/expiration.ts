/**
 * When the time of a job that waits runs out.
 *
 * Both times are wall time, so that they mean the same after a restart. A deadline holds for every attempt; the time to
 * live only for the first one, and only until that has begun.
 */
import type { FinalState } from './state.ts'

/** A job's times, as its policy keeps them, in milliseconds since the epoch. */
export interface ExpiryTimes {
  /** No attempt begins after it. */
  readonly deadline?: number
  /** The first attempt does not begin after it. */
  readonly ttlEndsAt?: number
}

export type SkippedState = Extract<FinalState, 'SKIPPED_TTL' | 'SKIPPED_DEADLINE'>

/** The wall time after which an attempt must not begin. */
export function notAfter(times: ExpiryTimes | undefined, attempt: number): number | undefined {
  if (times === undefined) return undefined
  const { deadline, ttlEndsAt } = times
  const ttl = attempt === 1 ? ttlEndsAt : undefined
  return ttl === undefined || deadline === undefined ? (ttl ?? deadline) : Math.min(ttl, deadline)
}

/**
 * How a job ends whose time is over at `now`; undefined: it is not.
 *
 * @param attempt number of the attempt that would begin
 */
export function skippedStateAt(
  times: ExpiryTimes | undefined,
  attempt: number,
  now: number,
): SkippedState | undefined {
  const last = notAfter(times, attempt)
  if (last === undefined || now < last) return undefined
  return attempt === 1 && last === times?.ttlEndsAt ? 'SKIPPED_TTL' : 'SKIPPED_DEADLINE'
}
