/** The interval of a median covers it with 95 % at least, and no narrower one of its kind does. */
import { expect, test } from 'vitest'
import { medianInterval } from '../../bench/interval.ts'

/** How probable it is that at most `most` of `count` numbers are below their distribution's median. */
function tail(count: number, most: number): number {
  let ways = 0
  for (let below = 0; below <= most; below++) ways += choose(count, below)
  return ways / 2 ** count
}

function choose(count: number, some: number): number {
  return some === 0 ? 1 : (choose(count, some - 1) * (count - some + 1)) / some
}

test.each(Array.from({ length: 35 }, (_, index) => index + 6))('of %i numbers', (count) => {
  const numbers = Array.from({ length: count }, (_, index) => index + 1)
  const { low, high } = medianInterval(numbers.toReversed()) ?? { low: 0, high: 0 }
  expect(low + high).toBe(count + 1)
  expect(tail(count, low - 1)).toBeLessThanOrEqual(0.025)
  expect(tail(count, low)).toBeGreaterThan(0.025)
})

test('fewer than six numbers say too little', () => {
  expect(medianInterval([1, 2, 3, 4, 5])).toBeUndefined()
})
