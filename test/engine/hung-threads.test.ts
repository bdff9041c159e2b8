/** What a job has left behind may keep its thread for itself: no job that comes after it waits for that. */
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openEnding } from './open-ending.ts'
import { useEngines } from './open-engine.ts'
import { openPrograms } from './open-programs.ts'
import { useVoices } from './program-voices.ts'

const engines = useEngines()
const { hear } = useVoices()

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
  // The same of one in which nothing is left but a program: both at a time, since it takes so long.
  const [engine, running] = await Promise.all([
    openEnding(engines, { database: engines.pathOf('ending.db') }),
    openPrograms(engines),
  ])
  const died = Promise.all(
    [engine, running].map((one) => new Promise((resolve) => one.events.once('thread-died', resolve))),
  )
  const never = engines.pathOf('never')
  const voices = hear(engines.pathOf('voice'))
  const end = engines.pathOf('end')
  const script = `echo began > "${voices.path}"; while [ ! -e "${end}" ]; do sleep 0.1; done`
  const program = await running.enqueue('SHELL', { args: [script] })
  await voices.said('began')
  await (await running.enqueue('LEAVES_CHAIN', never)).result()
  writeFileSync(end, '')
  const culprit = await engine.enqueue('LEAVES_LOOP', { until: never })
  expect(await culprit.result()).toBe('left')
  const innocent = await engine.enqueue('OK', 1)
  expect(await innocent.result()).toBe(1)
  const message = 'What a job had left behind when it ended kept the thread from going on for 5,000 ms'
  const death = { cause: 'THREAD_DIED', suspects: [], error: { message } }
  expect(await died).toMatchObject([death, death])
  for (const job of [culprit, innocent])
    expect(await engine.get(job.id)).toMatchObject({ state: 'DONE', attempt: 1, failedAttempts: [] })
  expect(await program.result()).toMatchObject({ exitCode: 0 })
  expect(await running.get(program.id)).toMatchObject({ state: 'DONE', attempt: 2, failedAttempts: [] })
})
