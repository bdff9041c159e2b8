import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()
const about = (subjectKey: string, more: object = {}) => ({ subjectKey, ...more })

test('a newer generation ends one that waits, wherever it waits', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const blocker = await engine.enqueue('DEAF', { gate: 'g' })
  await stage.waits('g')
  // Claimed, but not begun: behind the blocker.
  const claimed = await engine.enqueue('OK', 'claimed', about('a'))
  // In the backlog: no more may be claimed.
  await engine.enqueueMany(Array.from({ length: 2_000 }, () => ({ type: 'TINY' }) as const))
  const queued = await engine.enqueue('OK', 'queued', about('b'))
  expect((await engine.get(queued.id))?.state).toBe('QUEUED')
  expect((await engine.get(claimed.id))?.state).toBe('RUNNING')
  for (const [older, subject] of [
    [claimed, 'a'],
    [queued, 'b'],
  ] as const) {
    const newer = await engine.enqueue('OK', 'newer', about(subject))
    const error = await rejectionOf(older.result(), 'SUPERSEDED')
    expect(error.supersededBy).toBe(newer.id)
    expect(await engine.get(older.id)).toMatchObject({
      state: 'SUPERSEDED',
      supersededBy: newer.id,
      generation: 1,
      startedAt: undefined,
    })
    expect(await engine.get(newer.id)).toMatchObject({ generation: 2 })
  }
  stage.open('g')
  expect(await blocker.result()).toBe('ignored')
  await engine.idle()
  expect((await engine.stats()).jobs).toMatchObject({ DONE: 2_003, SUPERSEDED: 2, RUNNING: 0 })
})

test('one that waits for its next attempt is superseded', async () => {
  const engine = await engines.open()
  const job = await engine.enqueue('FLAKY', { times: 9 }, about('s', { retry: { backoffMs: 60_000 } }))
  await new Promise((resolve) => engine.events.once('job-retried', resolve))
  expect(await engine.get(job.id)).toMatchObject({ state: 'SCHEDULED', waitsFor: 'time' })
  const newer = await engine.enqueue('OK', 2, about('s'))
  expect(await newer.result()).toBe(2)
  expect((await rejectionOf(job.result(), 'SUPERSEDED')).supersededBy).toBe(newer.id)
})

test('a running handler is aborted, and the newer begins when it has given way', async () => {
  const engine = await engines.open()
  const stage = engines.stage
  for (const type of ['LISTENS', 'POLLS'] as const) {
    const older = await engine.enqueue(type, {}, about(type))
    await stage.began(older.id)
    const newer = await engine.enqueue('OK', 'newer', about(type))
    expect((await rejectionOf(older.result(), 'SUPERSEDED')).supersededBy).toBe(newer.id)
    expect(await newer.result()).toBe('newer')
    const details = await engine.get(older.id)
    expect(details).toMatchObject({ state: 'SUPERSEDED', attempt: 1, failures: 0 })
    expect(details?.startedAt).toBeInstanceOf(Date)
  }
})

test('onRunning finish lets the older end, and the newest of those that wait follows', async () => {
  const engine = await engines.open()
  const stage = engines.stage
  const first = await engine.enqueue('GATE', { gate: 'g', n: 1 }, about('s'))
  await stage.waits('g')
  const second = await engine.enqueue('OK', 2, about('s', { onRunning: 'finish' }))
  const third = await engine.enqueue('OK', 3, about('s', { onRunning: 'finish' }))
  expect((await rejectionOf(second.result(), 'SUPERSEDED')).supersededBy).toBe(third.id)
  expect(await engine.get(third.id)).toMatchObject({ state: 'SCHEDULED', waitsFor: 'subject' })
  stage.open('g')
  expect(await first.result()).toEqual({ n: 1 })
  expect(await third.result()).toBe(3)
})

test('the one that waits is released whatever way the older one ends', async () => {
  const engine = await engines.open({ threads: 4 })
  const stage = engines.stage
  const ends = {
    done: { type: 'DEAF', payload: { gate: 'done' }, state: 'DONE' },
    failed: { type: 'DEAF', payload: { gate: 'failed', ending: 'throw' }, state: 'FAILED' },
    died: { type: 'DEAF', payload: { gate: 'died', ending: 'exit' }, state: 'SUPERSEDED' },
    cancelled: { type: 'DEAF', payload: { gate: 'cancelled' }, state: 'CANCELLED' },
    'timed-out': { type: 'GATE', payload: { gate: 'timed-out' }, state: 'FAILED' },
  } as const
  for (const [way, { type, payload, state }] of Object.entries(ends)) {
    const limits = way === 'timed-out' ? { timeoutMs: 30, retry: { maxAttempts: 1 } } : {}
    const older = await engine.enqueue(type, payload, about(way, limits))
    await stage.waits(way)
    const newer = await engine.enqueue('OK', way, about(way, { onRunning: 'finish' }))
    if (way === 'cancelled') await engine.cancel(older.id)
    if (way !== 'timed-out') stage.open(way)
    expect(await newer.result()).toBe(way)
    expect(await engine.get(older.id)).toMatchObject({ state })
  }
})

test('a waiter that is cancelled leaves the older one alone; the next waits again', async () => {
  const engine = await engines.open()
  const stage = engines.stage
  const older = await engine.enqueue('GATE', { gate: 'g' }, about('s'))
  await stage.waits('g')
  const waiter = await engine.enqueue('OK', 2, about('s', { onRunning: 'finish' }))
  expect(await engine.cancel(waiter.id)).toBe('cancelled')
  await rejectionOf(waiter.result(), 'JOB_CANCELLED')
  const third = await engine.enqueue('OK', 3, about('s', { onRunning: 'finish' }))
  expect((await engine.get(third.id))?.state).toBe('SCHEDULED')
  stage.open('g')
  await older.result()
  expect(await third.result()).toBe(3)
})

test('an older generation is recorded as superseded at once, and told', async () => {
  const engine = await engines.open()
  const settled: [string, string][] = []
  engine.events.on('job-settled', ({ jobId, state }) => settled.push([jobId, state]))
  const newest = await engine.enqueue('OK', 5, about('s', { generation: 5 }))
  const older = await engine.enqueue('OK', 4, about('s', { generation: 4 }))
  expect(older.isNew).toBe(true)
  expect((await rejectionOf(older.result(), 'SUPERSEDED')).supersededBy).toBe(newest.id)
  expect(await engine.get(older.id)).toMatchObject({ state: 'SUPERSEDED', attempt: 0, generation: 4 })
  await newest.result()
  await engine.stats()
  expect(settled.sort()).toEqual(
    [
      [newest.id, 'DONE'],
      [older.id, 'SUPERSEDED'],
    ].sort(),
  )
})

test('an equal generation gives back the job that is there, finished or not', async () => {
  const engine = await engines.open()
  const job = await engine.enqueue('OK', 'first', about('s', { generation: 3 }))
  for (let round = 0; round < 2; round++) {
    const again = await engine.enqueue('OK', 'second', about('s', { generation: 3 }))
    expect([again.id, again.isNew]).toEqual([job.id, false])
    expect(await again.result()).toBe('first')
  }
  // Numbering goes on from there.
  const next = await engine.enqueue('CONTEXT', {}, about('s'))
  expect(await next.result()).toMatchObject({ generation: 4 })
})

test('onConflict keep gives back what waits, and adds where nothing does', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const running = await engine.enqueue('DEAF', { gate: 'g' }, about('s'))
  await stage.waits('g')
  const waiting = await engine.enqueue('OK', 1, about('s', { onConflict: 'keep', onRunning: 'finish' }))
  expect(waiting.isNew).toBe(true)
  const kept = await engine.enqueue('OK', 2, about('s', { onConflict: 'keep' }))
  expect([kept.id, kept.isNew]).toEqual([waiting.id, false])
  stage.open('g')
  await running.result()
  expect(await kept.result()).toBe(1)
  const fresh = await engine.enqueue('OK', 3, about('s', { onConflict: 'keep' }))
  expect([fresh.isNew, await fresh.result()]).toEqual([true, 3])
})

test('the same idempotency key gives back the same job, however that came to be', async () => {
  const engine = await engines.open({ threads: 1 })
  const first = await engine.enqueue('OK', 1, { idempotencyKey: 'k' })
  await first.result()
  const again = await engine.enqueue('OK', 2, { idempotencyKey: 'k' })
  expect([again.id, again.isNew, await again.result()]).toEqual([first.id, false, 1])
  const many = await engine.enqueueMany(
    Array.from({ length: 3 }, () => ({ type: 'OK', options: { idempotencyKey: 'same' } }) as const),
  )
  expect(many.map(({ isNew }) => isNew)).toEqual([true, false, false])
  expect(new Set(many.map(({ id }) => id)).size).toBe(1)
  // A key that came with a job that was kept names that job from then on.
  const stage = engines.stage
  await engine.enqueue('DEAF', { gate: 'g' })
  await stage.waits('g')
  const waiting = await engine.enqueue('OK', 1, about('s'))
  const options = about('s', { onConflict: 'keep', idempotencyKey: 'kept' })
  expect((await engine.enqueue('OK', 2, options)).id).toBe(waiting.id)
  stage.open('g')
  await waiting.result()
  expect((await engine.enqueue('OK', 2, options)).id).toBe(waiting.id)
})

test('a newer generation of another job type and queue takes the place as well', async () => {
  const engine = await engines.open()
  const stage = engines.stage
  const older = await engine.enqueue('LISTENS', {}, about('s', { queue: 'one' }))
  await stage.began(older.id)
  const newer = await engine.enqueue('CONTEXT', {}, about('s', { queue: 'two' }))
  expect(await newer.result()).toMatchObject({ queue: 'two', generation: 2 })
  await rejectionOf(older.result(), 'SUPERSEDED')
})

test('children of one attempt supersede each other', async () => {
  const engine = await engines.open()
  const parent = await engine.enqueue('CHILDREN', {
    children: [1, 2, 3].map((n) => ({ type: 'OK', payload: `${n}`, options: about('s') })),
  })
  await parent.result()
  await engine.idle()
  const { jobs } = await engine.list({ subjectPrefix: 's' })
  expect(jobs.map(({ state, payload }) => [state, payload])).toEqual([
    ['DONE', '3'],
    ['SUPERSEDED', '2'],
    ['SUPERSEDED', '1'],
  ])
})
