import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fatal, maxRetryAfterMs, RetryAfter, verdictOf } from '../../src/job/verdict.ts'

describe('the verdicts', () => {
  test('Fatal keeps its text and its cause', () => {
    const cause = new Error('deeper')
    const fatal = new Fatal('no such file', { cause })
    expect(fatal).toMatchObject({ name: 'Fatal', message: 'no such file', cause })
    expect(fatal).toBeInstanceOf(Error)
    expect(verdictOf(fatal)).toEqual({ kind: 'fatal' })
  })

  test('RetryAfter says how long, and why', () => {
    expect(new RetryAfter(500).message).toBe('Retry after 500 ms')
    expect(new RetryAfter(500, 'rate limited').message).toBe('rate limited')
    expect(verdictOf(new RetryAfter(0))).toEqual({ kind: 'retry-after', delayMs: 0 })
    expect(verdictOf(new RetryAfter(500))).toEqual({ kind: 'retry-after', delayMs: 500 })
  })

  test('a wait is stored in whole milliseconds, of a year at most', () => {
    expect(verdictOf(new RetryAfter(1.2))).toEqual({ kind: 'retry-after', delayMs: 2 })
    expect(verdictOf(new RetryAfter(1e300))).toEqual({ kind: 'retry-after', delayMs: maxRetryAfterMs })
  })

  test.each([-1, Number.NaN, Infinity])('RetryAfter(%d) is a mistake', (delayMs) => {
    expect(() => new RetryAfter(delayMs)).toThrow(RangeError)
  })
})

test.each([
  ['Fatal of another copy', { verdict: 'fatal' }, { kind: 'fatal' }],
  ['RetryAfter of another copy', { verdict: 'retry-after', delayMs: 7 }, { kind: 'retry-after', delayMs: 7 }],
  [
    'one with an endless delay',
    { verdict: 'retry-after', delayMs: Infinity },
    { kind: 'retry-after', delayMs: maxRetryAfterMs },
  ],
  ['one with a negative delay', { verdict: 'retry-after', delayMs: -7 }, { kind: 'retry' }],
  ['one with a delay that is none', { verdict: 'retry-after', delayMs: Number.NaN }, { kind: 'retry' }],
  ['one with a delay in words', { verdict: 'retry-after', delayMs: '7' }, { kind: 'retry' }],
  ['one without a delay', { verdict: 'retry-after' }, { kind: 'retry' }],
  ['an unknown verdict', { verdict: 'guilty' }, { kind: 'retry' }],
  ['an error', new Error('x'), { kind: 'retry' }],
  ['text', 'fatal', { kind: 'retry' }],
  ['nothing', undefined, { kind: 'retry' }],
  ['null', null, { kind: 'retry' }],
])('thrown: %s', (_what, thrown, verdict) => {
  expect(verdictOf(thrown)).toEqual(verdict)
})

test('what cannot be read is a failure like any other', () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  expect(verdictOf(proxy)).toEqual({ kind: 'retry' })
  fc.assert(
    fc.property(fc.anything(), (thrown) => {
      expect(verdictOf(thrown)).toHaveProperty('kind')
    }),
  )
})
