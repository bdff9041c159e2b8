/** Goal: what ctx.enqueue refuses is never lost. Method: a real engine, and a handler that looks, or does not. */
import { expect, test } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import refused from '../fixtures/jobs/refused.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

test('a child whose validator takes its time is added though nobody awaits it', async () => {
  const database = engines.pathOf('tasks.db')
  const engine = engines.keep(
    await Engine.start({ jobs: refused, database, threads: 1, logLevel: 'silent', throttle: false }),
  )
  for (const looks of ['never', 'never-but-later', 'by-await'])
    await (await engine.enqueue('PARENT', { looks, child: { type: 'VALIDATED_LATER', payload: 1 } })).result()
  await engine.idle()
  expect((await engine.list({ jobType: 'VALIDATED_LATER' })).jobs).toMatchObject(
    Array(3).fill({ state: 'DONE' }),
  )
})

test('a handler that does not look at the refusal of what it enqueues has failed by it, and adds nothing', async () => {
  const database = engines.pathOf('tasks.db')
  const engine = engines.keep(
    await Engine.start({ jobs: refused, database, threads: 1, logLevel: 'silent', throttle: false }),
  )
  const late: unknown[] = []
  engine.events.on('job-threw-late', (event) => late.push(event))
  const unknown = { type: 'NO_SUCH', payload: null }
  const invalid = { type: 'VALIDATED', payload: 'x' }
  const invalidLater = { type: 'VALIDATED_LATER', payload: -1 }
  for (const child of [unknown, invalid, invalidLater])
    for (const looks of ['never', 'never-but-later']) {
      const job = await engine.enqueue('PARENT', { looks, child })
      const { message } = await rejectionOf(job.result(), 'JOB_FAILED')
      expect(message).toContain(child.type)
      expect((await engine.get(job.id))?.failedAttempts).toMatchObject([{ cause: 'THREW' }])
    }
  expect((await engine.list({ jobType: 'OK' })).jobs).toEqual([])
  const seen = ['by-catch', 'by-await', 'by-another-await']
  for (const looks of seen) await (await engine.enqueue('PARENT', { looks, child: unknown })).result()
  for (const looks of seen) await (await engine.enqueue('PARENT', { looks, child: invalidLater })).result()
  await engine.idle()
  expect((await engine.list({ jobType: 'OK' })).jobs).toHaveLength(2 * seen.length)
  expect(late).toEqual([])
})
