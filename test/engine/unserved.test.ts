import { expect, test } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import onlyOk from '../fixtures/jobs/only-ok.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

function openOnlyOk() {
  const options = { database: engines.pathOf('tasks.db'), threads: 1, logLevel: 'silent' } as const
  return Engine.start({ jobs: onlyOk, ...options }).then((engine) => engines.keep(engine))
}

test('jobs whose type is not served wait, are told of, and run once it is served again', async () => {
  const first = await engines.open({ threads: 1 })
  const stage = engines.stage
  await first.enqueue('GATE', { gate: 'g' })
  await stage.waits('g')
  const parked = await first.enqueueMany(
    Array.from({ length: 1_500 }, () => ({ type: 'CONTEXT', payload: {} }) as const),
  )
  const cancelled = await first.enqueue('CONTEXT', {})
  const superseded = await first.enqueue('CONTEXT', {}, { subjectKey: 's' })
  const ok = await first.enqueue('OK', 1)
  await first.stop()

  const second = await openOnlyOk()
  const reported: string[] = []
  second.events.on('job-without-handler', ({ jobId }) => reported.push(jobId))
  await second.idle()
  expect(await second.get(ok.id)).toMatchObject({ state: 'DONE' })
  expect((await second.stats()).jobs).toMatchObject({ SCHEDULED: 1_503, QUEUED: 0, RUNNING: 0, DONE: 1 })
  expect(await second.get(superseded.id)).toMatchObject({
    state: 'SCHEDULED',
    waitsFor: 'handler',
    attempt: 0,
  })
  // Each once, those that were met before anybody could listen included.
  expect([reported.length, new Set(reported).size]).toEqual([1_503, 1_503])
  // They end as others do, and idle counts the rest aright.
  expect(await second.cancel(cancelled.id)).toBe('cancelled')
  const newer = await second.enqueue('OK', 2, { subjectKey: 's' })
  expect(await newer.result()).toBe(2)
  expect((await second.get(superseded.id))?.state).toBe('SUPERSEDED')
  const later = await second.enqueue('OK', 'later')
  await second.idle()
  expect((await second.get(later.id))?.state).toBe('DONE')
  await second.stop()

  stage.open('g')
  const third = await engines.open()
  await third.idle()
  expect((await third.stats()).jobs).toMatchObject({ SCHEDULED: 0, CANCELLED: 1, SUPERSEDED: 1 })
  expect((await third.get(parked[0]?.id ?? ''))?.result).toMatchObject({ attempt: 1 })
  expect((await third.get(parked[1_499]?.id ?? ''))?.state).toBe('DONE')
})

test('idle waits for the jobs that are served, however many were parked and cancelled', async () => {
  const first = await engines.open({ threads: 1 })
  await first.enqueue('LISTENS')
  const waiting = await first.enqueue('CONTEXT', {})
  await first.stop()
  const second = await openOnlyOk()
  await second.idle()
  expect(await second.cancel(waiting.id)).toBe('cancelled')
  // One parked job is left. A job of ours must count beside it.
  const many = await second.enqueueMany(
    Array.from({ length: 3_000 }, (_, n) => ({ type: 'OK', payload: n }) as const),
  )
  await second.idle()
  expect((await second.get(many[2_999]?.id ?? ''))?.state).toBe('DONE')
  expect((await second.stats()).jobs).toMatchObject({ SCHEDULED: 1, DONE: 3_000 })
})

test('those that are cancelled by what they have in common are parked no more', async () => {
  const first = await engines.open({ threads: 1 })
  await first.enqueue('LISTENS')
  await first.enqueueMany(
    Array.from({ length: 1_500 }, (_, n) => {
      const options = n % 3 === 0 ? { queue: 'kept' } : { userTag: 'red' }
      return { type: 'CONTEXT', payload: {}, options } as const
    }),
  )
  await first.stop()
  const second = await openOnlyOk()
  await second.idle()
  // By the one index and by the other.
  expect(await second.cancel({ userTag: 'red' })).toEqual({ waiting: 1_000, running: 0 })
  expect(await second.cancel({ jobType: 'LISTENS' })).toEqual({ waiting: 1, running: 0 })
  expect((await second.stats()).jobs).toMatchObject({ SCHEDULED: 500, CANCELLED: 1_001 })
  // The others are still told from jobs of ours.
  const many = await second.enqueueMany(Array.from({ length: 600 }, () => ({ type: 'OK' }) as const))
  await second.idle()
  expect((await second.get(many[599]?.id ?? ''))?.state).toBe('DONE')
})

test('retrying a job whose type is not served is refused', async () => {
  const first = await engines.open()
  const job = await first.enqueue('CONTEXT', {})
  await job.result()
  await first.stop()
  const second = await openOnlyOk()
  await rejectionOf(second.retry(job.id), 'JOB_TYPE_UNKNOWN')
})
