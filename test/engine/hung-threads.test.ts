/** What a job has left behind may keep its thread for itself: no job that comes after it waits for that. */
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openEnding } from './open-ending.ts'
import { useEngines } from './open-engine.ts'

const engines = useEngines()

test.each([
  ['LEAVES_LOOP', 'TAKES'],
  ['LEAVES_CHAIN', 'SLEEPS'],
] as const)('what waits in a thread that %s keeps from going on is begun by another', async (leaves, type) => {
  const engine = await openEnding(engines, { threads: 2 })
  const until = engines.pathOf('enough')
  const died: unknown[] = []
  engine.events.on('thread-died', (event) => died.push(event))
  // From now on it is known how long they take: each is a batch of its own.
  await (await engine.enqueue(type, { ms: 100 })).result()
  expect(await (await engine.enqueue(leaves, { until })).result()).toBe('left')
  const jobs = await Promise.all(Array.from({ length: 4 }, () => engine.enqueue(type, { ms: 100 })))
  await Promise.all(jobs.map((job) => job.result()))
  writeFileSync(until, '')
  const { threads } = await engine.stats()
  expect(threads.ready).toBe(2)
  expect(died).toEqual([])
})

test('a thread that stays so is ended, and charged to nobody', async () => {
  const engine = await openEnding(engines)
  const died = new Promise((resolve) => engine.events.once('thread-died', resolve))
  const culprit = await engine.enqueue('LEAVES_LOOP', { until: engines.pathOf('never') })
  expect(await culprit.result()).toBe('left')
  const innocent = await engine.enqueue('OK', 1)
  expect(await innocent.result()).toBe(1)
  expect(await died).toMatchObject({
    cause: 'THREAD_DIED',
    suspects: [],
    error: {
      message: 'What a job had left behind when it ended kept the thread from going on for 5,000 ms',
    },
  })
  for (const job of [culprit, innocent])
    expect(await engine.get(job.id)).toMatchObject({ state: 'DONE', attempt: 1, failedAttempts: [] })
})
