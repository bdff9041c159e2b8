import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import type { PruneWriter } from '../../src/store/prune-writer.ts'
import { notBegun, Slices } from '../../src/supervisor/maintenance-slice.ts'
import type { DatabaseSize, PruneItem } from '../../src/supervisor/messages.ts'
import { seed } from '../crash/effort.ts'

type Range = readonly [first: number, last: number]

/** Deletes the ranges, and gives what was asked of the writer. Each look at the clock is so much later. */
function prune(ranges: readonly Range[], lookMs: number, size?: DatabaseSize) {
  const jobs: Range[] = []
  const dependents: Range[] = []
  let nowMs = 0
  const clock: Pick<Clock, 'monotonicMs'> = {
    monotonicMs: () => {
      nowMs += lookMs
      return nowMs
    },
  }
  let vacuums = 0
  const writer: Partial<PruneWriter> = {
    ...size,
    vacuum: () => {
      vacuums++
    },
    jobsDelete: ({ first, last }) => jobs.push([first, last]) && last - first + 1,
    dependentsDelete: (first, last) => dependents.push([first, last]),
  }
  const items = ranges.map(
    ([first, last]): PruneItem => ({
      first,
      last,
      state: 'DONE',
      queue: 'default',
      finishedBy: 1,
      subjectKey: null,
      times: undefined,
    }),
  )
  // The boundary: nothing else is asked of them.
  const slices = new Slices(writer as PruneWriter, clock as Clock)
  let result = notBegun
  while (!result.isDone) result = slices.prune({ items, compacts: size !== undefined }, result, 5)
  return { jobs, dependents, vacuums, deletedJobs: result.deletedJobs }
}

const numbersOf = (ranges: readonly Range[]) =>
  ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index))

test('what lies between two jobs that are far apart is not looked at', () => {
  const ranges: Range[] = [
    [1, 1],
    [100_001, 100_001],
  ]
  expect(prune(ranges, 0.1).dependents).toEqual(ranges)
})

test('each number goes once with what hangs on it, whatever the steps', () => {
  const anyRanges = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300 })), { minLength: 1 })
    .map((pairs) => {
      let next = 1
      return pairs.map(([gap, length]): Range => {
        const first = next + gap
        next = first + length
        return [first, next - 1]
      })
    })
  fc.assert(
    fc.property(anyRanges, fc.constantFrom(0.01, 1, 100), (ranges, lookMs) => {
      const { jobs, dependents, deletedJobs } = prune(ranges, lookMs)
      const numbers = numbersOf(ranges)
      expect(numbersOf(jobs)).toEqual(numbers)
      expect(deletedJobs).toBe(numbers.length)
      const looked = numbersOf(dependents)
      const seen = new Set(looked)
      expect(looked).toEqual([...seen])
      expect(numbers.filter((number) => !seen.has(number))).toEqual([])
    }),
    { seed, numRuns: 50 },
  )
})

test('free pages that cannot be given back are left, and the deleting goes on', () => {
  const { jobs, vacuums } = prune([[1, 9_000]], 0.1, { freePages: 1_000, pages: 2_000 })
  expect(numbersOf(jobs)).toHaveLength(9_000)
  expect(vacuums).toBe(1)
})
