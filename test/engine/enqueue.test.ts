import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

test('what the validator refuses is not added; the handler gets its output', async () => {
  const engine = await engines.open()
  expect(await (await engine.enqueue('VALIDATED', { n: 3 })).result()).toBe('3 none')
  expect(await (await engine.enqueue('VALIDATED_LATER', { n: 4 })).result()).toBe(8)
  const refused = await rejectionOf(engine.enqueue('VALIDATED', { n: 1.5 }), 'PAYLOAD_INVALID')
  expect(refused.details).toMatchObject({ issues: [{ path: 'n' }] })
  const later = await rejectionOf(engine.enqueue('VALIDATED_LATER', { n: -1 }), 'PAYLOAD_INVALID')
  expect(later.message).toContain('must be positive')
  // What is stored is the validator's input.
  const job = await engine.enqueue('VALIDATED', { n: 1 })
  expect((await engine.get(job.id))?.payload).toEqual({ n: 1 })
  await engine.idle()
  expect((await engine.stats()).jobs.DONE).toBe(3)
})

test('an unknown job type, a payload that JSON cannot carry, and options out of bounds are refused', async () => {
  const engine = await engines.open()
  // @ts-expect-error no such type
  const unknown = await rejectionOf(engine.enqueue('NO_SUCH', 1), 'JOB_TYPE_UNKNOWN')
  expect(unknown.message).toContain('VALIDATED_LATER')
  const cycle: unknown[] = []
  cycle.push(cycle)
  const traps = {
    get field(): never {
      throw new Error('a getter that throws')
    },
  }
  const lossy = [new Date(), 1n, { at: new Map() }, () => {}, [undefined], cycle, Number.NaN, traps]
  for (const payload of lossy) {
    await rejectionOf(engine.enqueue('OK', payload), 'PAYLOAD_NOT_JSON')
  }
  await rejectionOf(engine.enqueue('OK', 'x'.repeat(10_000_001)), 'PAYLOAD_TOO_LARGE')
  for (const options of [
    { queue: 'not a queue' },
    { priority: 101 },
    { subjectKey: '' },
    { generation: 1 },
    { subjectKey: 'a\0b' },
    { retry: { maxAttempts: 0 } },
    { timeoutMs: 0 },
    { onConflict: 'replace' },
    { unheardOf: 1 },
    [],
    new Map(),
  ]) {
    // @ts-expect-error some of them are not even of the right type
    await rejectionOf(engine.enqueue('OK', 1, options), 'OPTION_INVALID')
  }
  expect((await engine.list()).jobs).toEqual([])
})

test('an array is added whole or not at all', async () => {
  const engine = await engines.open()
  await rejectionOf(
    engine.enqueueMany([
      { type: 'OK', payload: 1 },
      { type: 'VALIDATED_LATER', payload: { n: -1 } },
    ]),
    'PAYLOAD_INVALID',
  )
  await rejectionOf(
    engine.enqueueMany(Array.from({ length: 10_001 }, () => ({ type: 'NOTHING' }) as const)),
    'BULK_TOO_LARGE',
  )
  const megabyte = 'x'.repeat(1_000_000)
  await rejectionOf(
    engine.enqueueMany(Array.from({ length: 10 }, () => ({ type: 'NOTHING', payload: megabyte }) as const)),
    'BULK_TOO_LARGE',
  )
  expect((await engine.list()).jobs).toEqual([])
  expect(await engine.enqueueMany([])).toEqual([])
  const jobs = await engine.enqueueMany(
    Array.from({ length: 10_000 }, (_, index) => ({ type: 'OK', payload: index }) as const),
  )
  expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(jobs.map((_, index) => index))
})

test('iterables of both kinds are taken in chunks', async () => {
  const engine = await engines.open({ maxPendingJobs: 1_000 })
  function* some() {
    for (let n = 0; n < 3_210; n++) yield { type: 'OK', payload: n } as const
  }
  async function* later() {
    for (const job of some()) yield job
  }
  expect(await engine.enqueueMany(some())).toEqual({ enqueued: 3_210, existing: 0 })
  expect(await engine.enqueueMany(later())).toEqual({ enqueued: 3_210, existing: 0 })
  const first = await engine.enqueue('OK', 1, { idempotencyKey: 'other type' })
  const again = await engine.enqueue('NOTHING', null, { idempotencyKey: 'other type' })
  expect([again.id, again.isNew, again.jobType]).toEqual([first.id, false, 'OK'])
  const keyed = [1, 2, 3].map(() => ({ type: 'OK', options: { idempotencyKey: 'k' } }) as const)
  expect(await engine.enqueueMany(keyed.values())).toEqual({ enqueued: 1, existing: 2 })
  // @ts-expect-error not an iterable of jobs
  await rejectionOf(engine.enqueueMany('text'), 'OPTION_INVALID')
  // @ts-expect-error not a job
  await rejectionOf(engine.enqueueMany([undefined]), 'OPTION_INVALID')
  // @ts-expect-error not a job either
  await rejectionOf(engine.enqueueMany([null].values()), 'OPTION_INVALID')
  await engine.idle()
  expect((await engine.stats()).jobs.DONE).toBe(6_422)
})

test('several iterables share what may be pending, however little that is', async () => {
  const engine = await engines.open({ maxPendingJobs: 3 })
  function* some(payload: number) {
    for (let n = 0; n < 1_200; n++) yield { type: 'OK', payload } as const
  }
  const reports = await Promise.all([1, 2, 3].map((payload) => engine.enqueueMany(some(payload))))
  expect(reports).toEqual(reports.map(() => ({ enqueued: 1_200, existing: 0 })))
  await engine.idle()
})

test('the chunks before a failure stay, and the iterable is closed', async () => {
  const engine = await engines.open()
  let isClosed = false
  function* failing() {
    try {
      for (let n = 0; n < 1_100; n++) yield { type: 'OK', payload: n } as const
      throw new TypeError('the source broke')
    } finally {
      isClosed = true
    }
  }
  await expect(engine.enqueueMany(failing())).rejects.toThrow('the source broke')
  expect(isClosed).toBe(true)
  isClosed = false
  function* invalid() {
    try {
      for (let n = 600; ; n--) yield { type: 'VALIDATED', payload: { n: n > 0 ? n : 0.5 } } as const
    } finally {
      isClosed = true
    }
  }
  await rejectionOf(engine.enqueueMany(invalid()), 'PAYLOAD_INVALID')
  expect(isClosed).toBe(true)
  await engine.idle()
  expect((await engine.stats()).jobs.DONE).toBe(1_500)
})

test('over its limits the engine refuses, and says when there is room', async () => {
  const engine = await engines.open({ maxPendingJobs: 10 })
  const accepted = Array.from({ length: 10 }, (_, n) => engine.enqueue('OK', n))
  const error = await rejectionOf(engine.enqueue('OK', 10), 'OVERLOADED')
  expect(error.retryable).toBe(true)
  let isReady = false
  const ready = engine.ready().then(() => {
    isReady = true
  })
  await Promise.resolve()
  expect(isReady).toBe(false)
  await ready
  await engine.enqueue('OK', 10)
  const jobs = await Promise.all(accepted)
  expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(jobs.map((_, n) => n))
  // By characters as well; but what is larger than the limit by itself gets through alone.
  const narrow = await engines.open({
    database: engines.pathOf('narrow.db'),
    maxPendingCharacters: 1_000_000,
  })
  const large = narrow.enqueue('NOTHING', 'x'.repeat(1_500_000))
  await rejectionOf(narrow.enqueue('NOTHING', 'x'), 'OVERLOADED')
  await (await large).result()
  await narrow.ready()
})

test('what one sender asks is done in its order', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  await engine.enqueue('DEAF', { gate: 'g' })
  await stage.waits('g')
  const jobs = await Promise.all(Array.from({ length: 50 }, (_, n) => engine.enqueue('OK', n)))
  const ids = jobs.map(({ id }) => id)
  expect((await engine.list({ jobType: 'OK' })).jobs.map(({ id }) => id)).toEqual([...ids].reverse())
  // A bulk call comes after what the same turn has enqueued before, and cancel after all of them.
  const single = engine.enqueue('OK', 'single')
  const bulk = engine.enqueueMany([{ type: 'OK', payload: 'bulk' }])
  const last = engine.enqueue('OK', 'last', { priority: 1 })
  const answers = engine.cancel(ids)
  await Promise.all([single, bulk, last])
  expect(await answers).toEqual(ids.map(() => 'cancelled'))
  const { jobs: newest } = await engine.list({ jobType: 'OK', limit: 3 })
  expect(newest.map(({ payload }) => payload)).toEqual(['last', 'bulk', 'single'])
  stage.open('g')
})

test('higher priorities go first, equal ones in their order', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  await engine.enqueue('DEAF', { gate: 'g' })
  await stage.waits('g')
  const order: unknown[] = []
  engine.events.on('job-settled', ({ jobType, result }) => jobType === 'OK' && order.push(result))
  // More than may be claimed at a time, so that the backlog decides.
  await engine.enqueueMany(
    Array.from({ length: 500 }, () => ({ type: 'SPINS', payload: { ms: 0 } }) as const),
  )
  await engine.enqueueMany(
    [0, 5, -5, 5, 100].map(
      (priority, n) => ({ type: 'OK', payload: `${priority} ${n}`, options: { priority } }) as const,
    ),
  )
  stage.open('g')
  await engine.idle()
  await engine.stats()
  expect(order).toEqual(['100 4', '5 1', '5 3', '0 0', '-5 2'])
})

test('a handler adds jobs with its outcome, and none when it fails', async () => {
  const engine = await engines.open()
  const parent = await engine.enqueue('CHILDREN', {
    children: [
      { type: 'OK', payload: 'a', options: { queue: 'side', priority: 3 } },
      { type: 'VALIDATED', payload: 'not valid' },
    ],
  })
  // What a child's validator refuses fails the parent's attempt, as any other error that it lets through.
  const failure = await rejectionOf(parent.result(), 'JOB_FAILED')
  expect(failure.details).toMatchObject({ cause: 'THREW' })
  expect(failure.cause).toMatchObject({ code: 'PAYLOAD_INVALID' })
  expect((await engine.get(parent.id))?.failedAttempts).toHaveLength(2)
  const failing = await engine.enqueue('CHILDREN', { children: [{ type: 'OK' }], fails: true })
  await rejectionOf(failing.result(), 'JOB_FAILED')
  const good = await engine.enqueue('CHILDREN', {
    children: [{ type: 'OK', payload: 'b', options: { queue: 'side' } }],
  })
  await good.result()
  const careless = await engine.enqueue('CARELESS')
  await careless.result()
  await engine.idle()
  const { jobs } = await engine.list({ jobType: 'OK' })
  expect(jobs.map(({ payload, queue, parentJobId }) => ({ payload, queue, parentJobId }))).toEqual([
    { payload: 'from a careless parent', queue: 'default', parentJobId: careless.id },
    { payload: 'b', queue: 'side', parentJobId: good.id },
  ])
})

test('more children than an attempt may have fail it', async () => {
  const engine = await engines.open()
  const children = Array.from({ length: 10_001 }, () => ({ type: 'OK' }))
  const parent = await engine.enqueue('CHILDREN', { children }, { retry: { maxAttempts: 1 } })
  expect((await rejectionOf(parent.result(), 'JOB_FAILED')).cause).toMatchObject({ code: 'BULK_TOO_LARGE' })
  expect((await engine.stats()).jobs).toMatchObject({ FAILED: 1, DONE: 0, QUEUED: 0 })
})
