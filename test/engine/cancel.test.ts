import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

test('jobs that wait end at once, claimed or not', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const blocker = await engine.enqueue('DEAF', { gate: 'g' })
  await stage.waits('g')
  const claimed = await engine.enqueue('OK', 1)
  await engine.enqueueMany(Array.from({ length: 2_000 }, () => ({ type: 'TINY' }) as const))
  const queued = await engine.enqueue('OK', 2)
  expect([(await engine.get(claimed.id))?.state, (await engine.get(queued.id))?.state]).toEqual([
    'RUNNING',
    'QUEUED',
  ])
  const told: number[] = []
  engine.events.on('job-settled', ({ attempt }) => told.push(attempt))
  const results = [claimed, queued].map((job) => rejectionOf(job.result(), 'JOB_CANCELLED'))
  expect(await engine.cancel([claimed.id, queued.id])).toEqual(['cancelled', 'cancelled'])
  await Promise.all(results)
  // Each of them before the blocker has ended, and for good.
  expect((await engine.get(blocker.id))?.state).toBe('RUNNING')
  expect(await engine.cancel([claimed.id, queued.id])).toEqual(['finished', 'finished'])
  for (const job of [claimed, queued]) {
    expect(await engine.get(job.id)).toMatchObject({
      state: 'CANCELLED',
      startedAt: undefined,
      attempt: 0,
    })
  }
  expect(told).toEqual([0, 0])
  stage.open('g')
  await engine.idle()
})

test('a running handler is asked, and ends as cancelled whatever it does then', async () => {
  const engine = await engines.open({ threads: 4 })
  const stage = engines.stage
  for (const [type, payload] of [
    ['LISTENS', {}],
    ['POLLS', {}],
    ['DEAF', { gate: 'ignores' }],
    ['DEAF', { gate: 'throws', ending: 'throw' }],
  ] as const) {
    const job = await engine.enqueue(type, payload)
    await stage.began(job.id)
    expect(await engine.cancel(job.id)).toBe('cancelled')
    // Once more makes no difference.
    expect(await engine.cancel(job.id)).not.toBe('unknown')
    if ('gate' in payload) stage.open(payload.gate)
    await rejectionOf(job.result(), 'JOB_CANCELLED')
    expect(await engine.get(job.id)).toMatchObject({
      state: 'CANCELLED',
      attempt: 1,
      failures: 0,
      result: undefined,
    })
    expect(await engine.cancel(job.id)).toBe('finished')
  }
})

test('a cancelled parent adds no children', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const job = await engine.enqueue('GATE_CHILD', { gate: 'g' })
  await stage.waits('g')
  await engine.cancel(job.id)
  stage.open('g')
  await rejectionOf(job.result(), 'JOB_CANCELLED')
  expect((await engine.list()).jobs).toHaveLength(1)
})

test('one that waits for its next attempt is cancelled', async () => {
  const engine = await engines.open()
  const retried = new Promise((resolve) => engine.events.once('job-retried', resolve))
  const job = await engine.enqueue('FLAKY', { times: 1 }, { retry: { backoffMs: 60_000 } })
  await retried
  expect(await engine.cancel(job.id)).toBe('cancelled')
  await rejectionOf(job.result(), 'JOB_CANCELLED')
  expect(await engine.get(job.id)).toMatchObject({ state: 'CANCELLED', failures: 1, attempt: 1 })
  await engine.idle()
})

test('a job in the place of its id is refused, and what is meant is said', async () => {
  const engine = await engines.open({ threads: 1 })
  const job = await engine.enqueue('OK')
  // @ts-expect-error what only JavaScript can pass
  expect((await rejectionOf(engine.cancel([job]), 'JOB_ID_INVALID')).message).toContain('job.id')
  // @ts-expect-error the same
  expect((await rejectionOf(engine.get(job), 'JOB_ID_INVALID')).message).toContain('job.id')
})

test('jobs that do not exist are unknown', async () => {
  const engine = await engines.open()
  const job = await engine.enqueue('OK')
  const ghost = `${job.id}zzz`
  // @ts-expect-error what only JavaScript can pass
  await rejectionOf(engine.cancel(undefined), 'OPTION_INVALID')
  // @ts-expect-error what only JavaScript can pass
  await rejectionOf(engine.cancel([undefined]), 'JOB_ID_INVALID')
  expect(await engine.cancel([ghost, job.id, ghost])).toMatchObject(['unknown', expect.anything(), 'unknown'])
  expect(await engine.get(ghost)).toBeUndefined()
  await rejectionOf(engine.retry(ghost), 'JOB_UNKNOWN')
  expect(await engine.cancel([])).toEqual([])
})

test('a cancel that was answered survives the stop of an engine whose handler did not listen', async () => {
  const first = await engines.open({ threads: 1 })
  const stage = engines.stage
  const job = await first.enqueue('DEAF', { gate: 'never' })
  await stage.began(job.id)
  expect(await first.cancel(job.id)).toBe('cancelled')
  await first.stop({ graceMs: 20 })
  const second = await engines.open()
  expect(await second.get(job.id)).toMatchObject({ state: 'CANCELLED' })
})
