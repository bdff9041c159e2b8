import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

const hour = 3_600_000

test('a job that waits too long is skipped: claimed, queued, and waiting for its subject', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const blocker = await engine.enqueue('DEAF', { gate: 'g' }, { subjectKey: 's' })
  await stage.began(blocker.id)
  const claimed = await engine.enqueue('OK', 1, { ttlMs: 1_000 })
  await engine.enqueueMany(Array.from({ length: 2_000 }, () => ({ type: 'TINY' }) as const))
  const queued = await engine.enqueue('OK', 2, { deadline: Date.now() + 1_000 })
  const scheduled = await engine.enqueue('OK', 3, { subjectKey: 's', onRunning: 'finish', ttlMs: 1_000 })
  for (const [job, state] of [
    [claimed, 'SKIPPED_TTL'],
    [queued, 'SKIPPED_DEADLINE'],
    [scheduled, 'SKIPPED_TTL'],
  ] as const) {
    const error = await rejectionOf(job.result(), 'JOB_SKIPPED')
    expect(error.message).toContain(state)
    expect(await engine.get(job.id)).toMatchObject({ state, startedAt: undefined, failures: 0 })
  }
  // The blocker had not ended meanwhile.
  expect((await engine.get(blocker.id))?.state).toBe('RUNNING')
  stage.open('g')
  await engine.idle()
})

test('a deadline that is past ends the job at once, and one to come is kept with it', async () => {
  const engine = await engines.open()
  const late = await engine.enqueue('OK', 1, { deadline: new Date(Date.now() - 1) })
  await rejectionOf(late.result(), 'JOB_SKIPPED')
  expect(engines.stage.attemptsOf(late.id)).toEqual([])
  const deadline = new Date(Date.now() + hour)
  const early = await engine.enqueue('OK', 1, { deadline, ttlMs: hour, timeoutMs: 50_000 })
  expect(await early.result()).toBe(1)
  expect(await engine.get(early.id)).toMatchObject({
    state: 'DONE',
    deadline,
    ttlMs: hour,
    timeoutMs: 50_000,
  })
})

test('a handler that has begun goes on', async () => {
  const engine = await engines.open({ threads: 1 })
  const job = await engine.enqueue('GATE', { gate: 'g' }, { deadline: Date.now() + 1_000, ttlMs: 1_000 })
  await engines.stage.waits('g')
  // Later than both, as the clock of the machine has it: this one waits behind the other, and its time comes first.
  const behind = await engine.enqueue('OK', 1, { deadline: Date.now() + 1_100 })
  await rejectionOf(behind.result(), 'JOB_SKIPPED')
  engines.stage.open('g')
  await job.result()
  expect(await engine.get(job.id)).toMatchObject({ state: 'DONE', attempt: 1 })
})

test('a retry is not bound by the time to live, and is not waited for beyond the deadline', async () => {
  const engine = await engines.open()
  const lively = await engine.enqueue(
    'FLAKY',
    { times: 1 },
    { ttlMs: 200, retry: { backoffMs: 300, jitter: 0 } },
  )
  expect(await lively.result()).toBe(2)
  const options = {
    deadline: Date.now() + hour,
    retry: { backoffMs: 2 * hour, maxBackoffMs: 2 * hour, jitter: 0 },
  }
  const doomed = await engine.enqueue('FLAKY', { times: 1 }, options)
  await rejectionOf(doomed.result(), 'JOB_FAILED')
  expect(await engine.get(doomed.id)).toMatchObject({ state: 'FAILED', attempt: 1, failures: 1 })
})

test('what expired while no engine ran is skipped at the next start', async () => {
  const first = await engines.open({ threads: 1 })
  await first.enqueue('DEAF', { gate: 'never' })
  await engines.stage.waits('never')
  const jobs = await Promise.all([
    first.enqueue('OK', 1, { ttlMs: 1_000 }),
    first.enqueue('OK', 1, { deadline: Date.now() + 1_000 }),
  ])
  await first.stop({ graceMs: 0 })
  // Another engine tells when that time has come.
  const clock = await engines.open({ threads: 1, database: engines.pathOf('clock.db') })
  const holder = await clock.enqueue('GATE', { gate: 'never' })
  const bell = await clock.enqueue('OK', 1, { deadline: Date.now() + 1_000 })
  await rejectionOf(bell.result(), 'JOB_SKIPPED')
  await clock.cancel(holder.id)

  const second = await engines.open({ threads: 1 })
  engines.stage.open('never')
  await second.idle()
  expect(await second.get(jobs[0].id)).toMatchObject({ state: 'SKIPPED_TTL' })
  expect(await second.get(jobs[1].id)).toMatchObject({ state: 'SKIPPED_DEADLINE' })
})

test('retried as a new job it has all the time it wants', async () => {
  const engine = await engines.open()
  const job = await engine.enqueue('OK', 1, { deadline: 1, timeoutMs: 1_000 })
  await rejectionOf(job.result(), 'JOB_SKIPPED')
  const again = await engine.retry(job.id)
  expect(await again.result()).toBe(1)
  expect(await engine.get(again.id)).toMatchObject({
    deadline: undefined,
    ttlMs: undefined,
    timeoutMs: 1_000,
  })
})

test('children may have a deadline, and one of them may be past', async () => {
  const engine = await engines.open()
  const parent = await engine.enqueue('CHILDREN', {
    children: [
      { type: 'OK', payload: 'in time', options: { deadline: Date.now() + hour } },
      { type: 'OK', payload: 'late', options: { deadline: 1 } },
    ],
  })
  await parent.result()
  await engine.idle()
  const { jobs } = await engine.list({ jobType: 'OK' })
  expect(jobs.map(({ payload, state }) => [payload, state])).toEqual([
    ['late', 'SKIPPED_DEADLINE'],
    ['in time', 'DONE'],
  ])
})

test('times that are none are refused, naming the option', async () => {
  const engine = await engines.open({ threads: 1 })
  for (const [name, value] of [
    ['deadline', 'tomorrow'],
    ['deadline', new Date(Number.NaN)],
    ['deadline', -1],
    ['deadline', Number.POSITIVE_INFINITY],
    ['ttlMs', 0],
    ['ttlMs', -5],
    ['ttlMs', 31_536_000_001],
    ['ttlMs', '5'],
  ] as const) {
    const error = await rejectionOf(engine.enqueue('OK', 1, { [name]: value }), 'OPTION_INVALID')
    expect(error.message).toContain(name)
  }
})
