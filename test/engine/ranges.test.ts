import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BlockRanges, decodeRanges, encodeRanges } from '../../src/store/ranges.ts'

function numbersOf(text: string): number[] {
  return decodeRanges(text).flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, n) => first + n),
  )
}

test('runs of neighbours become short', () => {
  expect(encodeRanges([])).toBe('')
  expect(encodeRanges([7])).toBe('7')
  expect(encodeRanges([7, 8])).toBe('7-8')
  expect(encodeRanges([1, 2, 3, 9, 10, 5])).toBe('1-3,9-10,5')
  expect(encodeRanges(Array.from({ length: 5_000 }, (_, n) => 1_000_000 + n))).toBe('1000000-1004999')
})

test('what was encoded comes back, whatever its order', () => {
  const number = fc.oneof(fc.integer({ min: 1, max: 30 }), fc.maxSafeNat())
  fc.assert(
    fc.property(fc.uniqueArray(number, { maxLength: 60 }), (numbers) => {
      const back = numbersOf(encodeRanges(numbers))
      expect(back).toEqual(numbers)
    }),
  )
})

test('whatever is added and not removed lies in the blocks, and nothing that is far from it', () => {
  const number = fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 1_000_000_000 }))
  fc.assert(
    fc.property(fc.uniqueArray(number, { maxLength: 60 }), fc.nat(60), (numbers, kept) => {
      const blocks = new BlockRanges()
      for (const one of numbers) blocks.add(one)
      for (const one of numbers.slice(kept)) blocks.remove(one)
      const left = numbers.slice(0, kept)
      const ranges = decodeRanges(blocks.encode())
      for (const one of left) expect(ranges.some(([first, last]) => first <= one && one <= last)).toBe(true)
      for (const [first, last] of ranges) {
        for (let start = first; start <= last; start += 256) {
          expect(left.some((one) => start <= one && one < start + 256)).toBe(true)
        }
      }
    }),
  )
})

test('the ranges of some among others hold none of the others, and all whose block has none of them', () => {
  const number = fc.integer({ min: 1, max: 5_000 })
  fc.assert(
    fc.property(fc.uniqueArray(number, { maxLength: 40 }), fc.nat(40), (numbers, count) => {
      const [all, some] = [new BlockRanges(), new BlockRanges()]
      const [those, others] = [numbers.slice(0, count), numbers.slice(count)]
      for (const one of numbers) all.add(one)
      for (const one of those) some.add(one)
      const ranges = decodeRanges(some.encodeAlone(all))
      const isIn = (one: number) => ranges.some(([first, last]) => first <= one && one <= last)
      const blockOf = (one: number) => Math.floor(one / 256)
      const shared = new Set(others.map(blockOf))
      for (const one of others) expect(isIn(one)).toBe(false)
      for (const one of those) expect(isIn(one)).toBe(!shared.has(blockOf(one)))
    }),
  )
})
