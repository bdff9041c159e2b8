import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffDelayMs, defaultRetryPolicy, type RetryPolicy, retryBounds } from '../../src/job/retry.ts'

const within = ([min, max]: readonly [number, number]) => fc.double({ min, max, noNaN: true })

const policy: fc.Arbitrary<RetryPolicy> = fc.record({
  maxAttempts: fc.integer({ min: retryBounds.maxAttempts[0], max: retryBounds.maxAttempts[1] }),
  backoffMs: within(retryBounds.backoffMs),
  backoffFactor: within(retryBounds.backoffFactor),
  maxBackoffMs: within(retryBounds.maxBackoffMs),
  jitter: within(retryBounds.jitter),
})
const failures = fc.integer({ min: 1, max: retryBounds.maxAttempts[1] })
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test('the defaults are within their own bounds', () => {
  for (const [field, [minimum, maximum]] of Object.entries(retryBounds)) {
    const value = Object.entries(defaultRetryPolicy).find(([name]) => name === field)?.[1]
    expect(value).toBeGreaterThanOrEqual(minimum)
    expect(value).toBeLessThanOrEqual(maximum)
  }
})

test.each([
  [1, 0, 1_000],
  [2, 0, 2_000],
  [3, 0, 4_000],
  [3, 0.5, 3_600],
  [7, 0, 60_000],
  [1_000, 0, 60_000],
  [1_000, 0.999_999, 48_000],
])('by default, after %d failures with a random of %d: %d ms', (count, chance, delayMs) => {
  expect(backoffDelayMs(defaultRetryPolicy, count, chance)).toBe(delayMs)
})

test('the wait is a whole number from the jittered to the full backoff, never beyond the cap', () => {
  fc.assert(
    fc.property(policy, failures, random, (given, count, chance) => {
      const delayMs = backoffDelayMs(given, count, chance)
      const fullMs = backoffDelayMs({ ...given, jitter: 0 }, count, chance)
      expect(Number.isSafeInteger(delayMs)).toBe(true)
      expect(delayMs).toBeLessThanOrEqual(Math.round(given.maxBackoffMs))
      expect(delayMs).toBeLessThanOrEqual(fullMs)
      expect(delayMs).toBeGreaterThanOrEqual(Math.floor(fullMs * (1 - given.jitter)) - 1)
    }),
  )
})

test('the wait never shrinks from one failure to the next', () => {
  fc.assert(
    fc.property(policy, failures, random, (given, count, chance) => {
      expect(backoffDelayMs(given, count + 1, chance)).toBeGreaterThanOrEqual(
        backoffDelayMs(given, count, chance),
      )
    }),
  )
})

test('no backoff stays none, however large the power', () => {
  expect(backoffDelayMs({ ...defaultRetryPolicy, backoffMs: 0, backoffFactor: 100 }, 1_000, 0)).toBe(0)
})
