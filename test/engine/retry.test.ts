import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

test('a failed attempt is followed by others, and each is kept', async () => {
  const engine = await engines.open()
  const retried: { attempt: number; delayMs: number }[] = []
  engine.events.on('job-retried', (event) => retried.push(event))
  const job = await engine.enqueue('FLAKY', { times: 3 }, { retry: { backoffMs: 20, backoffFactor: 3 } })
  expect(await job.result()).toBe(4)
  const details = await engine.get(job.id)
  expect(details).toMatchObject({ state: 'DONE', attempt: 4, failures: 3 })
  expect(
    details?.failedAttempts.map(({ attempt, cause, error }) => [attempt, cause, error?.message]),
  ).toEqual([
    [1, 'THREW', 'attempt 1 fails'],
    [2, 'THREW', 'attempt 2 fails'],
    [3, 'THREW', 'attempt 3 fails'],
  ])
  // The job type says no jitter.
  expect(retried.map(({ attempt, delayMs }) => [attempt, delayMs])).toEqual([
    [1, 20],
    [2, 60],
    [3, 180],
  ])
  for (const { startedAt, endedAt } of details?.failedAttempts ?? []) {
    expect(startedAt?.getTime()).toBeLessThanOrEqual(endedAt.getTime())
  }
})

test('a job says itself how often it is tried', async () => {
  const engine = await engines.open()
  const once = await engine.enqueue('FLAKY', { times: 9 }, { retry: { maxAttempts: 1 } })
  await rejectionOf(once.result(), 'JOB_FAILED')
  expect(await engine.get(once.id)).toMatchObject({ attempt: 1, failures: 1 })
  const often = await engine.enqueue('FLAKY', { times: 6 }, { retry: { maxAttempts: 7 } })
  expect(await often.result()).toBe(7)
  const typical = await engine.enqueue('FLAKY', { times: 9 })
  await rejectionOf(typical.result(), 'JOB_FAILED')
  expect(await engine.get(typical.id)).toMatchObject({ attempt: 5, failures: 5 })
})

test('a verdict decides: no more, or later', async () => {
  const engine = await engines.open()
  const fatal = await engine.enqueue('FATAL', {}, { retry: { maxAttempts: 9 } })
  await rejectionOf(fatal.result(), 'JOB_FAILED')
  expect((await engine.get(fatal.id))?.attempt).toBe(1)
  const delays: number[] = []
  engine.events.on('job-retried', ({ delayMs }) => delays.push(delayMs))
  const later = await engine.enqueue('RETRY_AFTER', { delayMs: 7, times: 2 })
  expect(await later.result()).toBe(3)
  expect(delays).toEqual([7, 7])
  // It counts as an attempt.
  const spent = await engine.enqueue('RETRY_AFTER', { delayMs: 0, times: 9 }, { retry: { maxAttempts: 2 } })
  await rejectionOf(spent.result(), 'JOB_FAILED')
  expect((await engine.get(spent.id))?.attempt).toBe(2)
})

test('an attempt over its time limit fails, is retried by the policy, and says why', async () => {
  const engine = await engines.open()
  for (const type of ['LISTENS', 'POLLS'] as const) {
    const job = await engine.enqueue(type, {}, { timeoutMs: 25, retry: { maxAttempts: 2, backoffMs: 1 } })
    const error = await rejectionOf(job.result(), 'JOB_FAILED')
    expect(error.details).toMatchObject({ cause: 'TIMED_OUT' })
    const details = await engine.get(job.id)
    expect(details?.failedAttempts.map(({ attempt, cause }) => [attempt, cause])).toEqual([
      [1, 'TIMED_OUT'],
      [2, 'TIMED_OUT'],
    ])
    for (const { startedAt, endedAt } of details?.failedAttempts ?? []) {
      expect(endedAt.getTime() - (startedAt?.getTime() ?? 0)).toBeGreaterThanOrEqual(24)
    }
  }
})

test('an attempt over its time limit that gives up for good is not retried', async () => {
  const engine = await engines.open()
  const job = await engine.enqueue('GIVES_UP', {}, { timeoutMs: 25, retry: { maxAttempts: 3, backoffMs: 1 } })
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(error.details).toMatchObject({ cause: 'TIMED_OUT' })
  expect(error.cause).toMatchObject({ message: 'gave up' })
  expect((await engine.get(job.id))?.attempt).toBe(1)
})

test('the time limit counts from the beginning of the handler, not from the enqueue', async () => {
  const engine = await engines.open({ threads: 1 })
  const jobs = await engine.enqueueMany(
    Array.from(
      { length: 6 },
      () => ({ type: 'SPINS', payload: { ms: 40 }, options: { timeoutMs: 150 } }) as const,
    ),
  )
  expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(jobs.map(() => 'spun'))
})

test('a finished job is run again as a new one', async () => {
  const engine = await engines.open()
  const job = await engine.enqueue(
    'THROW',
    { message: 'first' },
    { queue: 'side', priority: 7, subjectKey: 's' },
  )
  await rejectionOf(job.result(), 'JOB_FAILED')
  const again = await engine.retry(job.id)
  expect([again.id === job.id, again.jobType]).toEqual([false, 'THROW'])
  await rejectionOf(again.result(), 'JOB_FAILED')
  expect(await engine.get(again.id)).toMatchObject({
    retriedFrom: job.id,
    payload: { message: 'first' },
    queue: 'side',
    priority: 7,
    subjectKey: 's',
    generation: 2,
  })
  expect(await engine.get(job.id)).toMatchObject({ state: 'FAILED' })
  const done = await engine.enqueue('OK', 5)
  await done.result()
  expect(await (await engine.retry(done.id)).result()).toBe(5)
  const running = await engine.enqueue('LISTENS')
  await rejectionOf(engine.retry(running.id), 'JOB_NOT_FINISHED')
  await engine.cancel(running.id)
})
