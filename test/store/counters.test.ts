import { expect, test } from 'vitest'
import { Counters } from '../../src/store/counters.ts'

const queuesOf = (counters: Counters) => [...counters.byQueue().keys()]

test('a queue that has no job is forgotten once nothing was added to it for as long as between two calls', () => {
  const counters = new Counters()
  for (const queue of ['used', 'left', 'full']) counters.add(queue, 'DONE', 2)
  counters.committed()
  counters.add('used', 'DONE', -2)
  counters.add('left', 'DONE', -2)
  counters.committed()
  counters.forgetEmpty()
  expect(queuesOf(counters)).toEqual(['used', 'left', 'full'])
  counters.add('used', 'QUEUED', 1)
  counters.committed()
  counters.add('used', 'QUEUED', -1)
  counters.committed()
  counters.forgetEmpty()
  expect(queuesOf(counters)).toEqual(['used', 'full'])
  expect(counters.flowOf('used').added).toBe(3)
  // What came to pass in a forgotten queue has come to pass all the same.
  expect(counters.entered).toMatchObject({ DONE: 6, QUEUED: 1 })
  counters.add('left', 'QUEUED', 1)
  const written: unknown[] = []
  counters.flush((...row) => written.push(row))
  expect(written).toEqual([['left', 'QUEUED', 1]])
  counters.committed()
  expect(counters.totals()).toMatchObject({ DONE: 2, QUEUED: 1 })
})

test('queues that had no job left are not known after a restart', () => {
  const counters = new Counters()
  counters.load([
    { queue: 'gone', state: 'DONE', jobs: 0 },
    { queue: 'there', state: 'DONE', jobs: 1 },
    { queue: 'there', state: 'QUEUED', jobs: 0 },
  ])
  expect(queuesOf(counters)).toEqual(['there'])
})
