/**
 * Goal: where something throws of a job whose handler goes on, the handler is told, and none of the same subject ever runs
 * beside it.
 */
import { expect, test } from 'vitest'
import { openEnding } from './open-ending.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

type EndingEngine = Awaited<ReturnType<typeof openEnding>>

async function expectRetried(engine: EndingEngine, id: string): Promise<void> {
  const failure = { cause: 'THREW', error: { message: 'later' } }
  expect(await engine.get(id)).toMatchObject({ state: 'DONE', attempt: 2, failedAttempts: [failure] })
}

async function beginBeside(engine: EndingEngine) {
  const other = await engine.enqueue('WAITS', { gate: 'other' })
  await engines.stage.waits('other')
  return other
}

test('its retry waits for the handler to give way, and others in its thread go on', async () => {
  const engine = await openEnding(engines)
  const other = await beginBeside(engine)
  const job = await engine.enqueue('GOES_ON', { gate: 'g' }, { subjectKey: 's' })
  await engines.stage.waits('g')
  // Behind the word of the throw, in a thread that was started for it.
  expect(await (await engine.enqueue('OK', 1)).result()).toBe(1)
  expect(await engine.get(job.id)).toMatchObject({ state: 'RUNNING', attempt: 1 })
  engines.stage.open('g')
  expect(await job.result()).toBe('alive')
  await expectRetried(engine, job.id)
  engines.stage.open('other')
  await other.result()
  expect(await engine.get(other.id)).toMatchObject({ state: 'DONE', attempt: 1 })
})

test('a handler that does not give way is ended with its thread after its grace, uncharged for others', async () => {
  const engine = await openEnding(engines)
  const other = await beginBeside(engine)
  const unresponsive = new Promise((resolve) => engine.events.once('job-unresponsive', resolve))
  const died = new Promise((resolve) => engine.events.once('thread-died', resolve))
  const job = await engine.enqueue('GOES_ON_SHORTLY', {}, { subjectKey: 's' })
  expect(await unresponsive).toMatchObject({ jobId: job.id })
  expect(await died).toMatchObject({ suspects: [job.id] })
  expect(await job.result()).toBe('alive')
  await expectRetried(engine, job.id)
  engines.stage.open('other')
  await other.result()
  expect(await engine.get(other.id)).toMatchObject({ state: 'DONE', attempt: 2, failedAttempts: [] })
})

test('alone in its thread it is ended at once, and that is no death to tell of', async () => {
  const engine = await openEnding(engines)
  const deaths: unknown[] = []
  engine.events.on('thread-died', (event) => deaths.push(event))
  const job = await engine.enqueue('GOES_ON', {}, { subjectKey: 's' })
  expect(await job.result()).toBe('alive')
  await expectRetried(engine, job.id)
  expect(deaths).toEqual([])
})

test('without a subject nothing is held, but the handler is told all the same', async () => {
  const engine = await openEnding(engines)
  const other = await beginBeside(engine)
  const job = await engine.enqueue('GOES_ON', { gate: 'g' })
  await engines.stage.waits('g')
  expect(await job.result()).toBe('alive')
  await expectRetried(engine, job.id)
  engines.stage.open('other')
  await other.result()
})

test.each([
  {},
  { subjectKey: 's' },
])('a listener of the signal that throws costs its own job an attempt: %o', async (subject) => {
  const engine = await openEnding(engines)
  const deaths: unknown[] = []
  engine.events.on('thread-died', (event) => deaths.push(event))
  const other = await beginBeside(engine)
  const options = { ...subject, timeoutMs: 20, retry: { maxAttempts: 1 } }
  const timed = await engine.enqueue('THROWS_WHEN_TOLD', null, options)
  await rejectionOf(timed.result(), 'JOB_FAILED')
  const timedOut = { cause: 'TIMED_OUT' }
  expect(await engine.get(timed.id)).toMatchObject({ attempt: 1, failedAttempts: [timedOut] })
  expect(deaths).toEqual([])
  const cancelled = await engine.enqueue('THROWS_WHEN_TOLD', null, subject)
  await engines.stage.waits(cancelled.id)
  await engine.cancel(cancelled.id)
  await rejectionOf(cancelled.result(), 'JOB_CANCELLED')
  engines.stage.open('other')
  await other.result()
  expect(await engine.get(other.id)).toMatchObject({ state: 'DONE', attempt: 1 })
  expect(deaths).toEqual([])
})
