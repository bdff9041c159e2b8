/** Goal: who runs out of time is skipped wherever it waits, counts no attempt, and leaves nothing behind. */
import { expect, test } from 'vitest'
import type { EnqueueOptions } from '../../src/job/spec.ts'
import { readTable, rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()
const hourMs = 3_600_000

interface AnyJob {
  readonly id: string
  result(): Promise<unknown>
}

async function skippedAs(job: AnyJob, state: 'SKIPPED_TTL' | 'SKIPPED_DEADLINE'): Promise<void> {
  const error = await rejectionOf(job.result(), 'JOB_SKIPPED')
  expect(error.message).toContain(`${job.id} ended as ${state}: `)
  expect(error.details).toEqual({ jobId: job.id, state })
}

/** Adds jobs that have more and more time, until one of them begins in time; gives that one, and its time. */
async function begunInTime<Job extends AnyJob>(add: (ms: number) => Promise<Job>): Promise<[Job, number]> {
  const stage = engines.stage
  for (let ms = 50; ; ms *= 2) {
    const job = await add(ms)
    const ended = job.result().then(
      () => true,
      () => stage.attemptsOf(job.id).length > 0,
    )
    if (await Promise.race([stage.began(job.id).then(() => true), ended])) return [job, ms]
  }
}

/** Stops the engine; what ended must have been forgotten. */
async function stopAndExpectNothingExpires(engine: { stop(): Promise<unknown> }): Promise<void> {
  await engine.stop()
  expect(readTable(engines.pathOf('tasks.db'), 'SELECT * FROM expirations')).toEqual([])
}

test('waiting jobs end when their time runs out, claimed or not, and are not counted an attempt', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const blocker = await engine.enqueue('DEAF', { gate: 'g' })
  await stage.waits('g')
  const times: readonly EnqueueOptions[] = [
    { ttlMs: 20 },
    { deadline: Date.now() + 20 },
    { ttlMs: 20, deadline: Date.now() + hourMs },
    { ttlMs: hourMs, deadline: Date.now() + 20 },
    {},
  ]
  const claimed = await engine.enqueueMany(times.map((options) => ({ type: 'OK', options }) as const))
  await engine.enqueueMany(Array.from({ length: 2_000 }, () => ({ type: 'TINY' }) as const))
  const queued = await engine.enqueueMany(times.map((options) => ({ type: 'OK', options }) as const))
  for (const [jobs, where] of [
    [claimed, 'RUNNING'],
    [queued, 'QUEUED'],
  ] as const) {
    for (const [index, job] of jobs.slice(0, 4).entries()) {
      const state = index % 2 === 0 ? 'SKIPPED_TTL' : 'SKIPPED_DEADLINE'
      await skippedAs(job, state)
      expect(await engine.get(job.id)).toMatchObject({ state, attempt: 0, startedAt: undefined })
    }
    // The others wait on.
    expect((await engine.get(jobs[4]?.id ?? ''))?.state).toBe(where)
  }
  // Each of them before the blocker has ended.
  expect((await engine.get(blocker.id))?.state).toBe('RUNNING')
  for (const state of ['SKIPPED_TTL', 'SKIPPED_DEADLINE'] as const)
    expect((await engine.list({ state })).jobs).toHaveLength(4)
  stage.open('g')
  await engine.idle()
  await stopAndExpectNothingExpires(engine)
})

test('a job that comes back after its deadline does not begin again, whatever brought it back', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  // Its first attempt ends, with its thread, after the deadline.
  const [running, ms] = await begunInTime((ms) =>
    engine.enqueue('DEAF', { gate: 'g', ending: 'exit' }, { deadline: Date.now() + ms }),
  )
  await skippedAs(await engine.enqueue('OK', 1, { ttlMs: ms }), 'SKIPPED_TTL')
  stage.open('g')
  await skippedAs(running, 'SKIPPED_DEADLINE')
  expect(stage.attemptsOf(running.id)).toEqual([1])
  await stopAndExpectNothingExpires(engine)
})

test('an engine that has nothing else to do wakes up for it', async () => {
  const engine = await engines.open()
  const stage = engines.stage
  const older = await engine.enqueue('GATE', { gate: 'g' }, { subjectKey: 's' })
  await stage.waits('g')
  const waiter = await engine.enqueue('OK', 2, { subjectKey: 's', onRunning: 'finish', ttlMs: 20 })
  await skippedAs(waiter, 'SKIPPED_TTL')
  // As after a cancel: the older one goes on, and the next waits for it again.
  const third = await engine.enqueue('OK', 3, { subjectKey: 's', onRunning: 'finish', ttlMs: hourMs })
  expect(await engine.get(third.id)).toMatchObject({ state: 'SCHEDULED', waitsFor: 'subject' })
  stage.open('g')
  await older.result()
  expect(await third.result()).toBe(3)
  await engine.idle()
  await stopAndExpectNothingExpires(engine)
})

test('of a subject a job without time left takes the place of older ones all the same', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  await engine.enqueue('DEAF', { gate: 'g' })
  await stage.waits('g')
  const older = await engine.enqueue('OK', 1, { subjectKey: 's', ttlMs: hourMs })
  const dead = await engine.enqueue('OK', 2, { subjectKey: 's', deadline: 0 })
  expect((await rejectionOf(older.result(), 'SUPERSEDED')).supersededBy).toBe(dead.id)
  await skippedAs(dead, 'SKIPPED_DEADLINE')
  expect(await engine.get(dead.id)).toMatchObject({ generation: 2, deadline: new Date(0) })
  const stale = await engine.enqueue('OK', 0, { subjectKey: 's', generation: 1, deadline: 0 })
  expect((await rejectionOf(stale.result(), 'SUPERSEDED')).supersededBy).toBe(dead.id)
  const next = await engine.enqueue('CONTEXT', {}, { subjectKey: 's' })
  stage.open('g')
  expect(await next.result()).toMatchObject({ generation: 3 })
  await stopAndExpectNothingExpires(engine)
})

test('onConflict keep gives back what waits with the time that it has, and nothing that has none left', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  await engine.enqueue('DEAF', { gate: 'g' })
  await stage.waits('g')
  const keep = { subjectKey: 's', onConflict: 'keep' } as const
  const waiting = await engine.enqueue('OK', 1, { ...keep, ttlMs: hourMs })
  const kept = await engine.enqueue('OK', 2, { ...keep, deadline: 0 })
  expect([kept.id, kept.isNew]).toEqual([waiting.id, false])
  expect(await engine.get(kept.id)).toMatchObject({ state: 'RUNNING', ttlMs: hourMs, deadline: undefined })
  // In one message, so that the supervisor has no time of its own in between.
  const [dead, fresh] = await engine.enqueueMany([
    { type: 'OK', payload: 3, options: { subjectKey: 't', deadline: Date.now() } },
    { type: 'OK', payload: 4, options: { ...keep, subjectKey: 't' } },
  ])
  expect(fresh?.isNew).toBe(true)
  stage.open('g')
  await skippedAs(dead ?? waiting, 'SKIPPED_DEADLINE')
  expect([await kept.result(), await fresh?.result()]).toEqual([1, 4])
  await stopAndExpectNothingExpires(engine)
})

test('an idempotency key gives back the job that was skipped', async () => {
  const engine = await engines.open()
  const first = await engine.enqueue('OK', 1, { idempotencyKey: 'k', deadline: 0 })
  const again = await engine.enqueue('OK', 2, { idempotencyKey: 'k' })
  expect([again.id, again.isNew]).toEqual([first.id, false])
  await skippedAs(again, 'SKIPPED_DEADLINE')
})

test('a job that is cancelled or superseded is forgotten', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  await engine.enqueue('DEAF', { gate: 'g' })
  await stage.waits('g')
  const times = { ttlMs: hourMs, deadline: Date.now() + 2 * hourMs }
  const claimed = await engine.enqueue('OK', 1, times)
  await engine.enqueueMany(Array.from({ length: 2_000 }, () => ({ type: 'TINY' }) as const))
  const queued = await engine.enqueue('OK', 2, times)
  await engine.cancel([claimed.id, queued.id])
  for (let round = 0; round < 3; round++) await engine.enqueue('OK', round, { ...times, subjectKey: 's' })
  stage.open('g')
  await engine.idle()
  await stopAndExpectNothingExpires(engine)
})

test('what runs out of time while no engine runs ends at the next start', async () => {
  const first = await engines.open({ threads: 1 })
  const stage = engines.stage
  const blocker = await first.enqueue('GATE', { gate: 'g' })
  await stage.waits('g')
  const deadline = Date.now() + hourMs
  const waits = await first.enqueueMany([
    { type: 'OK', options: { deadline } },
    { type: 'OK', options: { ttlMs: hourMs } },
  ])
  await first.stop({ graceMs: 0 })
  const kept = readTable<{ kind: string }>(
    engines.pathOf('tasks.db'),
    'SELECT kind FROM expirations ORDER BY seq',
  )
  expect(kept).toEqual([{ kind: 'deadline' }, { kind: 'ttl' }])
  // The clock is put forward by as much as the times are put back.
  engines.change(`UPDATE expirations SET expires_at = expires_at - ${2 * hourMs}`)
  engines.change(
    `UPDATE jobs SET policy = json_set(policy, '$.deadline', policy ->> '$.deadline' - ${2 * hourMs})
     WHERE policy ->> '$.deadline' IS NOT NULL`,
  )
  engines.change(
    `UPDATE jobs SET policy = json_set(policy, '$.ttlEndsAt', policy ->> '$.ttlEndsAt' - ${2 * hourMs})
     WHERE policy ->> '$.ttlEndsAt' IS NOT NULL`,
  )
  const second = await engines.open({ threads: 1 })
  stage.open('g')
  await second.idle()
  const states = await Promise.all(waits.map(async ({ id }) => (await second.get(id))?.state))
  expect(states).toEqual(['SKIPPED_DEADLINE', 'SKIPPED_TTL'])
  expect((await second.get(blocker.id))?.state).toBe('DONE')
  await stopAndExpectNothingExpires(second)
})
