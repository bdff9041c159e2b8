import { expect, test } from 'vitest'
import { expectFullPool, rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines({ threads: 2 })

test('a job that ends its thread twice alone is failed, and the pool is whole again', async () => {
  const engine = await engines.open()
  const died: { suspects: readonly string[] }[] = []
  engine.events.on('thread-died', (event) => died.push(event))
  const retried: unknown[] = []
  engine.events.on('job-retried', (event) => retried.push(event))
  const job = await engine.enqueue('EXIT')
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(retried).toMatchObject([
    {
      jobId: job.id,
      attempt: 1,
      cause: 'EXITED',
      state: 'QUEUED',
      delayMs: 0,
      durationMs: expect.any(Number),
    },
  ])
  expect(error.details).toMatchObject({ cause: 'EXITED' })
  const details = await engine.get(job.id)
  expect(details).toMatchObject({ state: 'FAILED', attempt: 2 })
  expect(details?.failedAttempts.map(({ cause }) => cause)).toEqual(['EXITED', 'EXITED'])
  expect(died.map(({ suspects }) => suspects)).toEqual([[job.id], [job.id]])
  await expectFullPool(engine, 2)
  expect(await (await engine.enqueue('OK', 1)).result()).toBe(1)
})

test('a job that ends its thread once is done the second time', async () => {
  const engine = await engines.open({ threads: 1 })
  const job = await engine.enqueue('EXIT', { times: 1 })
  expect(await job.result()).toBe('alive')
  expect(await engine.get(job.id)).toMatchObject({ state: 'DONE', attempt: 2, failures: 0 })
})

test('what shared a batch with it is done', async () => {
  const engine = await engines.open()
  // The type is known to be tiny, so that all go in few batches.
  await Promise.all(
    (
      await engine.enqueueMany(
        Array.from({ length: 500 }, () => ({ type: 'MAYBE_EXIT', payload: {} }) as const),
      )
    ).map((job) => job.result()),
  )
  const jobs = await engine.enqueueMany(
    Array.from(
      { length: 900 },
      (_, index) => ({ type: 'MAYBE_EXIT', payload: { exit: index % 300 === 150 } }) as const,
    ),
  )
  const outcomes = await Promise.allSettled(jobs.map((job) => job.result()))
  for (const [index, outcome] of outcomes.entries()) {
    if (index % 300 === 150) expect(outcome).toMatchObject({ reason: { details: { cause: 'EXITED' } } })
    else expect(outcome.status).toBe('fulfilled')
  }
  // How a handler ended outlives its thread: none of the others has run a second time.
  const details = await Promise.all(jobs.map((job) => engine.get(job.id)))
  expect(details.filter((one) => one?.state === 'DONE' && one.attempt > 1)).toEqual([])
  await expectFullPool(engine, 2)
  await engine.idle()
  expect((await engine.stats()).jobs).toMatchObject({ DONE: 1_397, FAILED: 3, RUNNING: 0 })
})

test('of several handlers that a thread had begun each runs alone then, uncharged', async () => {
  const engine = await engines.open({ threads: 1, threadMemoryMb: 64 })
  const stage = engines.stage
  const innocent = await engine.enqueueMany(
    Array.from({ length: 3 }, () => ({ type: 'GATE_OVERLAP', payload: { gate: 'g' } }) as const),
  )
  await stage.waits('g', 3)
  const died = new Promise<{ suspects: readonly string[] }>((resolve) =>
    engine.events.once('thread-died', resolve),
  )
  const retried: unknown[] = []
  engine.events.on('job-retried', (event) => retried.push(event))
  // It is begun although three handlers wait in the only thread: their overlap leaves room.
  const culprit = await engine.enqueue('EXHAUSTS_OVERLAP')
  expect([...(await died).suspects].sort()).toEqual([...innocent, culprit].map((job) => job.id).sort())
  stage.open('g')
  await Promise.all(innocent.map((job) => job.result()))
  expect(await culprit.result()).toBe('alive')
  for (const job of innocent) expect(await engine.get(job.id)).toMatchObject({ state: 'DONE', failures: 0 })
  expect((await engine.get(culprit.id))?.failedAttempts).toEqual([])
  expect(retried).toEqual([])
  await expectFullPool(engine, 1)
})

test('suspects get their turn while there is always something else to do', async () => {
  const engine = await engines.open({ threads: 1, threadMemoryMb: 64 })
  const stage = engines.stage
  const suspects = await engine.enqueueMany(
    Array.from({ length: 4 }, () => ({ type: 'GATE_OVERLAP', payload: { gate: 'g' } }) as const),
  )
  await stage.waits('g', 4)
  const order: string[] = []
  engine.events.on('job-settled', ({ jobId }) => order.push(jobId))
  const died = new Promise((resolve) => engine.events.once('thread-died', resolve))
  await engine.enqueue('EXHAUSTS_OVERLAP')
  await died
  await engine.enqueueMany(
    Array.from({ length: 6_000 }, () => ({ type: 'TINY', payload: { ms: 0.2 } }) as const),
  )
  stage.open('g')
  await engine.idle()
  await engine.stats()
  for (const { id } of suspects) expect(order.indexOf(id)).toBeLessThan(3_000)
})

test('a cancelled job whose thread dies is cancelled', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const job = await engine.enqueue('DEAF', { gate: 'g', ending: 'exit' })
  await stage.waits('g')
  expect(await engine.cancel(job.id)).toBe('cancelled')
  stage.open('g')
  await rejectionOf(job.result(), 'JOB_CANCELLED')
  expect((await engine.get(job.id))?.attempt).toBe(1)
})

test('a job that was claimed behind a death starts with its first attempt', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const culprit = await engine.enqueue('DEAF', { gate: 'g', ending: 'exit' })
  const behind = await engine.enqueue('CONTEXT', {})
  await stage.waits('g')
  stage.open('g')
  expect(await behind.result()).toMatchObject({ attempt: 1 })
  await rejectionOf(culprit.result(), 'JOB_FAILED')
})
