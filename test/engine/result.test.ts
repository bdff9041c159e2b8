import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines({ threads: 2 })

test('a job gives its result, once and again', async () => {
  const engine = await engines.open()
  const job = await engine.enqueue('OK', { a: [1, 'two', null] })
  expect(await job.result()).toEqual({ a: [1, 'two', null] })
  expect(await job.result()).toEqual({ a: [1, 'two', null] })
  expect(await (await engine.enqueue('NOTHING')).result()).toBeUndefined()
  expect(await (await engine.enqueue('OK')).result()).toBeNull()
})

test('many wait for one job', async () => {
  const engine = await engines.open()
  const job = await engine.enqueue('OK', 7)
  expect(await Promise.all([job.result(), job.result(), job.result()])).toEqual([7, 7, 7])
})

test('the context names the job', async () => {
  const engine = await engines.open()
  const plain = await engine.enqueue('CONTEXT', {})
  expect(await plain.result()).toMatchObject({
    jobId: plain.id,
    jobType: 'CONTEXT',
    queue: 'default',
    subjectKey: null,
    generation: null,
    attempt: 1,
  })
  const full = await engine.enqueue(
    'CONTEXT',
    {},
    { queue: 'side', subjectKey: 's', generation: 41, priority: 5 },
  )
  expect(await full.result()).toMatchObject({
    jobId: full.id,
    queue: 'side',
    subjectKey: 's',
    generation: 41,
    attempt: 1,
  })
  expect(await engine.get(full.id)).toMatchObject({
    queue: 'side',
    priority: 5,
    subjectKey: 's',
    generation: 41,
  })
})

const failures = [
  ['THROW', { message: 'boom' }, { name: 'RangeError', message: 'boom' }],
  ['THROW_VALUE', { value: 'a text' }, { name: 'NonError', message: 'Thrown: "a text"' }],
  ['THROW_VALUE', { value: null }, { name: 'NonError', message: 'Thrown: null' }],
  ['THROW_CODED', {}, { message: 'no such file', code: 'ENOENT' }],
  [
    'THROW_CAUSED',
    {},
    {
      name: 'TypeError',
      message: 'fetch failed',
      cause: { name: 'AggregateError', errors: [{ message: 'connection refused' }] },
    },
  ],
  ['FATAL', {}, { name: 'Fatal', message: 'there is no hope' }],
] as const

test('what a handler throws fails the job, and is told as its cause', async () => {
  const engine = await engines.open()
  for (const [type, payload, cause] of failures) {
    const job = await engine.enqueue(type, payload)
    const error = await rejectionOf(job.result(), 'JOB_FAILED')
    expect(error.cause).toMatchObject(cause)
    expect(error.details).toMatchObject({ jobId: job.id, cause: 'THREW' })
    expect(error.message).toContain(job.id)
    const details = await engine.get(job.id)
    expect(details).toMatchObject({ state: 'FAILED', attempt: 1, failures: 1 })
    expect(details?.failedAttempts).toMatchObject([{ attempt: 1, cause: 'THREW', error: cause }])
    // The one who asks after the end is told the same.
    expect((await rejectionOf(job.result(), 'JOB_FAILED')).cause).toMatchObject(cause)
  }
})

test('a handler that returns what JSON cannot carry fails for good', async () => {
  const engine = await engines.open()
  for (const what of ['function', 'bigint', 'date', 'undefined', 'cycle', 'thenable', 'throwing thenable']) {
    const job = await engine.enqueue('RETURNS', { what })
    const error = await rejectionOf(job.result(), 'JOB_FAILED')
    const isThenable = what.endsWith('thenable')
    expect(error.details).toMatchObject({ cause: isThenable ? 'THREW' : 'INVALID_RESULT' })
    expect(error.cause).toMatchObject(isThenable ? { message: what } : { code: 'RESULT_NOT_JSON' })
    expect((await engine.get(job.id))?.attempt).toBe(1)
  }
  expect(await (await engine.enqueue('RETURNS', { what: 'twice thenable' })).result()).toBe(1)
  expect((await engine.stats()).threads.ready).toBe(2)
})

test('what throws at whatever it is asked fails its job, thrown or returned, and nothing else', async () => {
  const engine = await engines.open()
  const thrown = await rejectionOf((await engine.enqueue('THROWS_HOSTILE')).result(), 'JOB_FAILED')
  expect(thrown.details).toMatchObject({ cause: 'THREW' })
  const returned = await rejectionOf(
    (await engine.enqueue('RETURNS', { what: 'hostile' })).result(),
    'JOB_FAILED',
  )
  expect(returned.details).toMatchObject({ cause: 'THREW' })
  expect((await engine.stats()).threads).toEqual({ ready: 2, busy: 0 })
  expect(await (await engine.enqueue('OK', 1)).result()).toBe(1)
})

test('a large result comes whole, one that is too large fails', async () => {
  const engine = await engines.open()
  expect(await (await engine.enqueue('BIG', { characters: 5_000_000 })).result()).toHaveLength(5_000_000)
  const error = await rejectionOf(
    (await engine.enqueue('BIG', { characters: 11_000_000 })).result(),
    'JOB_FAILED',
  )
  expect(error.cause).toMatchObject({ code: 'RESULT_TOO_LARGE' })
})

test('a batch with results, none, and failures keeps each with its job', async () => {
  const engine = await engines.open()
  const jobs = await engine.enqueueMany(
    Array.from({ length: 600 }, (_, index) =>
      index % 3 === 0
        ? ({ type: 'OK', payload: index } as const)
        : index % 3 === 1
          ? ({ type: 'NOTHING' } as const)
          : ({ type: 'THROW', payload: { message: `no ${index}` } } as const),
    ),
  )
  const outcomes = await Promise.allSettled(jobs.map((job) => job.result()))
  for (const [index, outcome] of outcomes.entries()) {
    if (index % 3 === 0) expect(outcome).toMatchObject({ status: 'fulfilled', value: index })
    else if (index % 3 === 1) expect(outcome).toMatchObject({ status: 'fulfilled', value: undefined })
    else expect(outcome).toMatchObject({ reason: { code: 'JOB_FAILED', cause: { message: `no ${index}` } } })
  }
})

test('outcomes do not wait for a slow job behind them, even in the only thread', async () => {
  const engine = await engines.open({ threads: 1 })
  const spins = (ms: number) => ({ type: 'TINY', payload: { ms } }) as const
  // How long they take is known then: the slow job shares its batch, and another batch waits behind it.
  const warm = await engine.enqueueMany(Array.from({ length: 100 }, () => spins(0.5)))
  await Promise.all(warm.map((job) => job.result()))
  const slowAt = 32
  const jobs = await engine.enqueueMany(
    Array.from({ length: 100 }, (_, index) => spins(index === slowAt ? 1_500 : 0.5)),
  )
  await Promise.all(jobs.slice(0, slowAt).map((job) => job.result()))
  expect((await engine.get(jobs[slowAt]?.id ?? ''))?.state).toBe('RUNNING')
  await engine.idle()
})

test('an id of another database, of no job, and no id at all', async () => {
  const engine = await engines.open()
  const other = await engines.open({ database: engines.pathOf('other.db') })
  const job = await other.enqueue('OK')
  await job.result()
  await rejectionOf(engine.get(job.id), 'JOB_ID_INVALID')
  await rejectionOf(engine.cancel('nonsense'), 'JOB_ID_INVALID')
  await rejectionOf(engine.retry(''), 'JOB_ID_INVALID')
  const mine = await engine.enqueue('OK')
  await mine.result()
  await other.enqueueMany(Array.from({ length: 5 }, () => ({ type: 'OK' as const })))
  expect(await engine.get(mine.id)).toMatchObject({ id: mine.id, state: 'DONE' })
})
