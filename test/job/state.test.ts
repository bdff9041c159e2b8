import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  canBecome,
  isFinal,
  isJobState,
  type JobState,
  jobStates,
  liveStates,
  transitions,
} from '../../src/job/state.ts'

const state = fc.constantFrom(...jobStates)
const finalStates = jobStates.filter(isFinal)

test('the states are those of the design, live ones first', () => {
  expect(jobStates.slice(0, liveStates.length)).toEqual(liveStates)
  expect(finalStates).toEqual([
    'DONE',
    'FAILED',
    'CANCELLED',
    'SUPERSEDED',
    'SKIPPED_TTL',
    'SKIPPED_DEADLINE',
  ])
  expect(Object.keys(transitions)).toEqual([...jobStates])
  expect(new Set(jobStates).size).toBe(jobStates.length)
})

test('a state is known by its exact name', () => {
  expect(jobStates.every(isJobState)).toBe(true)
  expect(['done', '', 'toString', 'QUEUED '].some(isJobState)).toBe(false)
})

test('no path leads out of a final state', () => {
  fc.assert(
    fc.property(fc.array(state, { maxLength: 30 }), (wishes) => {
      let at: JobState = 'QUEUED'
      let ended: JobState | undefined
      for (const wish of wishes) {
        if (canBecome(at, wish)) at = wish
        if (isFinal(at)) ended ??= at
      }
      expect(at).toBe(ended ?? at)
    }),
  )
})

test.each(liveStates)('%s can reach every final state', (start) => {
  const reached = new Set<JobState>([start])
  for (const at of reached) for (const next of transitions[at]) reached.add(next)
  expect(finalStates.filter((one) => !reached.has(one))).toEqual([])
})

test('only a claimed job can be done or fail, and one that waits is not claimed twice', () => {
  const before = (to: JobState) => jobStates.filter((from) => canBecome(from, to))
  expect(before('DONE')).toEqual(['RUNNING'])
  expect(before('FAILED')).toEqual(['RUNNING'])
  expect(before('RUNNING')).toEqual(['QUEUED', 'SCHEDULED'])
  expect(before('QUEUED')).toEqual(['SCHEDULED', 'RUNNING'])
})

test('no state follows itself', () => {
  expect(jobStates.filter((one) => canBecome(one, one))).toEqual([])
})
