import { expect, test } from 'vitest'
import { ControlBlock } from '../../src/execution/control-block.ts'
import { ThreadNiceness } from '../../src/execution/thread-niceness.ts'

/** A batch whose first jobs cost their thread so much each; the others were taken back, or are programs. */
function batchOf(jobs: number, costsMs: readonly number[]): ControlBlock {
  const control = ControlBlock.forJobs(jobs)
  for (const [index, costMs] of costsMs.entries()) control.spend(index, costMs)
  return control
}

test.each([
  ['of long jobs', batchOf(20, Array(20).fill(30)), [5]],
  ['of long jobs of which most are taken back', batchOf(400, Array(4).fill(30)), [5]],
  ['of tiny jobs', batchOf(400, Array(400).fill(0.3)), []],
])('a thread with batches %s', (_what, control, expected) => {
  const degrees: number[] = []
  const niceness = new ThreadNiceness(5, (by) => degrees.push(by))
  for (let batch = 0; batch < 4; batch++) niceness.ran(control)
  expect(degrees).toEqual(expected)
})
