/** Goal: a handler that changes what its thread shares harms no outcome. Method: real engines of one thread. */
import { expect, test } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import tampering from '../fixtures/jobs/tampering.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

async function open() {
  const database = engines.pathOf('tasks.db')
  return engines.keep(
    await Engine.start({ jobs: tampering, database, threads: 1, logLevel: 'silent', throttle: false }),
  )
}

test('a handler that gives every object a toJSON fails by what it threw, and its children are added', async () => {
  const engine = await open()
  const parent = await engine.enqueue('TO_JSON_OF_LISTS')
  await parent.result()
  await engine.idle()
  expect((await engine.list({ jobType: 'OK' })).jobs).toMatchObject([{ state: 'DONE' }])
  const failed = await rejectionOf((await engine.enqueue('TO_JSON_OF_ALL')).result(), 'JOB_FAILED')
  expect(failed.message).toContain('boom')
})

test('a handler that puts methods of its own in the place of those of JSON harms no result and no payload', async () => {
  const engine = await open()
  const jobs = await engine.enqueueMany([
    { type: 'STRINGIFY' },
    { type: 'PARSE' },
    { type: 'STRINGIFY_AND_THROW' },
    { type: 'ECHO', payload: { n: 1 } },
    { type: 'ECHO', payload: ['2'] },
  ])
  const outcomes = await Promise.allSettled(jobs.map((job) => job.result()))
  expect(outcomes).toMatchObject([
    { value: { whole: true } },
    { value: undefined },
    { reason: { code: 'JOB_FAILED', message: expect.stringContaining('boom') } },
    { value: { n: 1 } },
    { value: ['2'] },
  ])
  expect(await engine.get(jobs[0]?.id ?? '')).toMatchObject({
    result: { whole: true },
    resultSummary: { short: true },
  })
})

test('a handler whose end cannot be read fails, and another thread takes the place of the one it has spoilt', async () => {
  const engine = await open()
  const died = new Promise((resolve) => engine.events.on('thread-died', resolve))
  const failed = await rejectionOf((await engine.enqueue('WRITE')).result(), 'JOB_FAILED')
  expect(failed.message).toContain('cannot be read')
  expect(await died).toMatchObject({ suspects: [] })
  expect(await (await engine.enqueue('OK')).result()).toBe(1)
})
