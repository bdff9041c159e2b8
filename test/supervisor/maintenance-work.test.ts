import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import type { PruneWriter } from '../../src/store/prune-writer.ts'
import type { SliceResult } from '../../src/supervisor/maintenance-slice.ts'
import { MaintenanceWork } from '../../src/supervisor/maintenance-work.ts'

/** Work of many slices that take five milliseconds each, on a clock that the test moves. */
function setUp() {
  let nowMs = 1_000
  let mayWrite = true
  let slices = 0
  const timers: number[] = []
  const clock: Clock = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    startTimer(delayMs) {
      timers.push(delayMs)
      return { cancel: () => {} }
    },
  }
  // The boundary: nothing is asked of the writer before the work is done.
  const work = new MaintenanceWork({} as PruneWriter, {
    clock,
    runAlone: (apply) => apply(),
    mayWriteMuch: () => mayWrite,
    wrote: () => {},
    wake: () => {},
  })
  const refused: unknown[] = []
  const slice = (from: SliceResult): SliceResult => {
    slices++
    nowMs += 5
    return { ...from, seq: from.seq + 1 }
  }
  const done = () => expect.unreachable('it is never done')
  work.submit({ slice, done, refuse: (error) => refused.push(error) })
  return {
    work,
    refused,
    timers,
    /** How many slices the next cycle does, so much later. */
    cycleAfter(delayMs: number, may = true): number {
      nowMs += delayMs
      mayWrite = may
      const before = slices
      work.afterCycle()
      return slices - before
    },
  }
}

/** Longer than the pause after a slice of five milliseconds, however busy the thread of the test is. */
const pauseMs = 5 / 0.08

test('a slice is followed by a pause that is at least a third of it', () => {
  const { cycleAfter, timers } = setUp()
  expect(cycleAfter(0)).toBe(1)
  expect(timers[0]).toBeGreaterThanOrEqual((5 * 0.25) / 0.75)
  expect(cycleAfter(1.5)).toBe(0)
  expect(cycleAfter(pauseMs)).toBe(1)
})

test('while others want to write it is put off, but not for ever', () => {
  const { cycleAfter } = setUp()
  expect([cycleAfter(0, false), cycleAfter(pauseMs, false)]).toEqual([1, 0])
  expect([cycleAfter(37, false), cycleAfter(pauseMs, false)]).toEqual([0, 1])
  // The next one comes as soon as it may again.
  expect([cycleAfter(pauseMs, false), cycleAfter(1, true)]).toEqual([0, 1])
})

test('a stop refuses what is under way', () => {
  const { work, refused, cycleAfter } = setUp()
  const reason = new Error('stopping')
  work.stop(reason)
  expect([refused, cycleAfter(pauseMs)]).toEqual([[reason], 0])
})
