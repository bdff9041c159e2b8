/** Goal: the pool is at full size whatever becomes of a thread, and however long its other jobs take. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openEnding } from './open-ending.ts'
import { expectFullPool, rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

type EndingEngine = Awaited<ReturnType<typeof openEnding>>

/** Begins a job that waits for the gate, then has its thread be retired under it. */
async function retireUnder(engine: EndingEngine, gate: string) {
  const job = await engine.enqueue('WAITS', { gate })
  await engines.stage.waits(gate)
  const culprit = await engine.enqueue('THROWS_LATER')
  await rejectionOf(culprit.result(), 'JOB_FAILED')
  return job
}

test('a thread in which something threw later is replaced at once, and its other jobs go on', async () => {
  const engine = await openEnding(engines)
  const slow = await retireUnder(engine, 'g')
  expect(await (await engine.enqueue('OK', 1)).result()).toBe(1)
  await expectFullPool(engine, 1)
  expect((await engine.get(slow.id))?.state).toBe('RUNNING')
  engines.stage.open('g')
  await slow.result()
  expect(await engine.get(slow.id)).toMatchObject({ state: 'DONE', attempt: 1, failures: 0 })
  await expectFullPool(engine, 1)
})

test('a thread that has done enough is replaced at once, and its other jobs go on', async () => {
  const engine = await openEnding(engines, { recycleAfterJobs: 2 })
  const slow = await engine.enqueue('WAITS', { gate: 'g' })
  await engines.stage.waits('g')
  const seen = new Set<unknown>()
  for (let round = 0; round < 6; round++) seen.add(await (await engine.enqueue('PASSES')).result())
  expect(seen.size).toBeGreaterThan(1)
  expect((await engine.get(slow.id))?.state).toBe('RUNNING')
  engines.stage.open('g')
  await slow.result()
  expect(await engine.get(slow.id)).toMatchObject({ state: 'DONE', attempt: 1 })
})

test('only so many threads are kept for jobs that take long', async () => {
  const engine = await openEnding(engines)
  const slow = []
  for (let place = 0; place < 4; place++) slow.push(await retireUnder(engine, `g${place}`))
  expect(await (await engine.enqueue('OK', 1)).result()).toBe(1)
  slow.push(await retireUnder(engine, 'g4'))
  const order: string[] = []
  engine.events.on('job-settled', ({ jobId }) => order.push(jobId))
  const waiting = await engine.enqueue('OK', 2)
  // As long as it takes to start a thread, and more.
  const other = await openEnding(engines, { database: engines.pathOf('other.db') })
  expect(await (await other.enqueue('OK', 3)).result()).toBe(3)
  expect((await engine.stats()).threads.ready).toBe(0)
  engines.stage.open('g2')
  expect(await waiting.result()).toBe(2)
  await engine.stats()
  expect(order).toEqual([slow[2]?.id, waiting.id])
  for (const gate of ['g0', 'g1', 'g3', 'g4']) engines.stage.open(gate)
  await Promise.all(slow.map((job) => job.result()))
  await expectFullPool(engine, 1)
})

test('a thread is replaced that failed at a batch, and is stuck as well', { timeout: 20_000 }, async () => {
  const engine = await openEnding(engines)
  const died = new Promise((resolve) => engine.events.once('thread-died', resolve))
  const pipe = engines.pathOf('pipe')
  execFileSync('mkfifo', [pipe])
  await engine.enqueue('SABOTAGES', { pipe })
  const job = await engine.enqueue('PASSES')
  expect(await died).toMatchObject({ error: { message: 'sabotaged' } })
  await expectFullPool(engine, 1)
  expect(await job.result()).toBeGreaterThan(0)
  // Opened so, it waits for nobody, and lets go who waits.
  closeSync(openSync(pipe, 'r+'))
})
