import { expect, test } from 'vitest'
import { readTable, rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines({ threads: 2 })

test('list pages through more rows than one page examines, newest first', { timeout: 120_000 }, async () => {
  const engine = await engines.open()
  const rare = await engine.enqueue('NOTHING', 'the oldest', { queue: 'rare', subjectKey: 'a::b' })
  function* many() {
    for (let n = 0; n < 25_000; n++) yield { type: 'OK', payload: n } as const
  }
  await engine.enqueueMany(many())
  await engine.idle()
  const seen: string[] = []
  let pages = 0
  for (let cursor: string | undefined, page = await engine.list({ limit: 1_000 }); ; ) {
    seen.push(...page.jobs.map(({ id }) => id))
    pages++
    cursor = page.cursor
    if (cursor === undefined) break
    page = await engine.list({ limit: 1_000, cursor })
  }
  expect([seen.length, new Set(seen).size, seen.at(-1)]).toEqual([25_001, 25_001, rare.id])
  expect(pages).toBeGreaterThanOrEqual(26)
  // A filter that hardly any job passes comes back empty, and goes on.
  for (const filter of [{ queue: 'rare' }, { jobType: 'NOTHING' }, { subjectPrefix: 'a::' }]) {
    let page = await engine.list(filter)
    const sizes = [page.jobs.length]
    while (page.cursor !== undefined) {
      page = await engine.list({ ...filter, cursor: page.cursor })
      sizes.push(page.jobs.length)
    }
    expect(sizes).toEqual([0, 0, 1])
    expect(page.jobs[0]?.id).toBe(rare.id)
  }
})

test('list filters by everything at once, and refuses what is no filter', async () => {
  const engine = await engines.open()
  for (const [subjectKey, queue] of [
    ['x::1', 'one'],
    ['x::2', 'two'],
    ['y::1', 'one'],
  ] as const) {
    await (await engine.enqueue('OK', subjectKey, { subjectKey, queue })).result()
  }
  await rejectionOf(
    (await engine.enqueue('THROW', { message: 'no' }, { queue: 'one' })).result(),
    'JOB_FAILED',
  )
  const keys = async (filter: Parameters<typeof engine.list>[0]) =>
    (await engine.list(filter)).jobs.map(({ payload }) => payload)
  expect(await keys({ subjectPrefix: 'x::' })).toEqual(['x::2', 'x::1'])
  expect(await keys({ subjectPrefix: 'x::', queue: 'one' })).toEqual(['x::1'])
  expect(await keys({ state: 'FAILED' })).toEqual([{ message: 'no' }])
  expect(await keys({ state: 'DONE', jobType: 'OK', queue: 'one', limit: 1 })).toEqual(['y::1'])
  expect(await keys({ state: 'QUEUED' })).toEqual([])
  // @ts-expect-error no such state
  await rejectionOf(engine.list({ state: 'LOST' }), 'OPTION_INVALID')
  // @ts-expect-error no such filter
  await rejectionOf(engine.list({ tag: 'x' }), 'OPTION_INVALID')
  for (const filter of [5, null, []]) {
    // @ts-expect-error what only JavaScript can pass
    await rejectionOf(engine.list(filter), 'OPTION_INVALID')
  }
  // @ts-expect-error what only JavaScript can pass
  await rejectionOf(engine.stop(null), 'OPTION_INVALID')
  // @ts-expect-error what only JavaScript can pass
  expect(() => engine.events.on('alrt', () => {})).toThrow(
    expect.objectContaining({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/^event is "alrt"\. Allowed: job-settled, .*alert/),
    }),
  )
  // @ts-expect-error the same
  expect(() => engine.events.on('recovered', 5)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  await rejectionOf(engine.list({ limit: 1_001 }), 'OPTION_INVALID')
  await rejectionOf(engine.list({ cursor: 'page 2' }), 'CURSOR_INVALID')
})

test('list finds jobs by their tag, their group and their parent', async () => {
  const engine = await engines.open()
  const child = { type: 'OK', payload: 'child', options: { userTag: 'red' } }
  const options = { userTag: 'red', chainGroupId: 'g' }
  const parent = await engine.enqueue(
    'CHILDREN',
    { children: [child, { type: 'OK', payload: 'plain' }] },
    options,
  )
  await parent.result()
  await engine.enqueue('OK', 'other', { userTag: 'blue', chainGroupId: 'g' })
  await engine.enqueue('OK', 'none')
  await engine.idle()
  const payloads = async (filter: Parameters<typeof engine.list>[0]) =>
    (await engine.list(filter)).jobs.map(({ payload }) => (typeof payload === 'string' ? payload : 'parent'))
  expect(await payloads({ userTag: 'red' })).toEqual(['child', 'parent'])
  expect(await payloads({ userTag: 'Red' })).toEqual([])
  expect(await payloads({ chainGroupId: 'g' })).toEqual(['other', 'parent'])
  expect(await payloads({ chainGroupId: 'g', userTag: 'blue' })).toEqual(['other'])
  expect(await payloads({ parentJobId: parent.id })).toEqual(['plain', 'child'])
  expect(await payloads({ parentJobId: parent.id, userTag: 'red', state: 'DONE' })).toEqual(['child'])
  expect(await payloads({ parentJobId: parent.id, chainGroupId: 'g' })).toEqual([])
  // A page of them goes on where it ended.
  const first = await engine.list({ userTag: 'red', limit: 1 })
  const second = await engine.list({ userTag: 'red', limit: 1, cursor: first.cursor })
  expect([...first.jobs, ...second.jobs].map(({ id }) => id)).toEqual([expect.any(String), parent.id])
  // What a parent is labelled with is its own; a job that is run again keeps its labels.
  const [plain] = (await engine.list({ parentJobId: parent.id, limit: 1 })).jobs
  expect(plain).toMatchObject({ userTag: undefined, chainGroupId: undefined, parentJobId: parent.id })
  const again = await engine.retry(parent.id)
  expect(await engine.get(again.id)).toMatchObject(options)
  await rejectionOf(engine.list({ parentJobId: 'nobody' }), 'JOB_ID_INVALID')
  // @ts-expect-error what only JavaScript can pass
  await rejectionOf(engine.list({ userTag: 5 }), 'OPTION_INVALID')
})

test('stats are a count over the table', async () => {
  const engine = await engines.open()
  const stage = engines.stage
  await engine.enqueueMany([
    ...Array.from({ length: 40 }, () => ({ type: 'OK', options: { queue: 'q1' } }) as const),
    ...Array.from({ length: 7 }, () => ({ type: 'THROW', payload: {}, options: { queue: 'q2' } }) as const),
    { type: 'FLAKY', payload: { times: 9 }, options: { retry: { backoffMs: 60_000 } } },
  ])
  await new Promise((resolve) => engine.events.once('job-retried', resolve))
  const running = await engine.enqueue('GATE', { gate: 'g' })
  await stage.waits('g')
  await engine.cancel((await engine.list({ jobType: 'FLAKY' })).jobs.map(({ id }) => id))
  while ((await engine.stats()).jobs.RUNNING > 1) await engine.get(running.id)
  const stats = await engine.stats()
  expect(stats.jobs).toMatchObject({ DONE: 40, FAILED: 7, CANCELLED: 1, RUNNING: 1, SCHEDULED: 0, QUEUED: 0 })
  expect(stats.queues).toMatchObject({
    q1: { DONE: 40 },
    q2: { FAILED: 7 },
    default: { CANCELLED: 1, RUNNING: 1 },
  })
  expect(stats).toMatchObject({ threads: { ready: 2, busy: 1 }, claims: 1, mailbox: 0 })
  stage.open('g')
  await engine.idle()
  await engine.stop()
  expect(
    readTable(
      engines.pathOf('tasks.db'),
      'SELECT state, COUNT(*) AS jobs FROM jobs GROUP BY state ORDER BY state',
    ),
  ).toEqual([
    { state: 'CANCELLED', jobs: 1 },
    { state: 'DONE', jobs: 41 },
    { state: 'FAILED', jobs: 7 },
  ])
})

test('each job is settled once for who listens, whatever another listener does', async () => {
  const engine = await engines.open()
  const warnings: string[] = []
  const warn = (warning: Error) => warnings.push(warning.message)
  process.on('warning', warn)
  const settled = new Map<string, string[]>()
  let calls = 0
  engine.events.on('job-settled', () => {
    calls++
    if (calls <= 3) throw new Error('a listener broke')
  })
  engine.events.on('job-settled', ({ jobId, state }) =>
    settled.set(jobId, [...(settled.get(jobId) ?? []), state]),
  )
  const jobs = await engine.enqueueMany(
    Array.from({ length: 300 }, (_, n) =>
      n % 10 === 0
        ? ({ type: 'THROW', payload: { message: '' } } as const)
        : n % 10 === 1
          ? ({ type: 'FLAKY', payload: { times: 1 } } as const)
          : ({ type: 'OK', payload: n, options: { subjectKey: `s${n % 50}` } } as const),
    ),
  )
  const half = jobs.filter((_, n) => n % 2 === 0)
  const cancelled = await engine.cancel(half.map(({ id }) => id))
  await engine.idle()
  await engine.stats()
  process.off('warning', warn)
  expect(settled.size).toBe(300)
  for (const [id, states] of settled) {
    expect(states, id).toHaveLength(1)
    expect((await engine.get(id))?.state).toBe(states[0])
  }
  for (const [n, { id }] of half.entries()) {
    if (cancelled[n] === 'cancelled') expect(settled.get(id)).toEqual(['CANCELLED'])
  }
  expect(new Set(warnings)).toEqual(new Set(['A listener of job-settled threw: a listener broke']))
})

test('a listener that has gone hears no more', async () => {
  const engine = await engines.open()
  const heard: unknown[] = []
  const listener = ({ result }: { result: unknown }) => heard.push(result)
  engine.events.on('job-settled', listener)
  await (await engine.enqueue('OK', 1)).result()
  await engine.stats()
  engine.events.off('job-settled', listener)
  await (await engine.enqueue('OK', 2)).result()
  engine.events.on('job-settled', listener)
  await (await engine.enqueue('OK', 3)).result()
  await engine.stats()
  expect(heard).toEqual([1, 3])
})

test('idle comes when nothing is left, children and further attempts included', async () => {
  const engine = await engines.open()
  await engine.idle()
  await engine.enqueue('CHILDREN', {
    children: Array.from({ length: 20 }, () => ({
      type: 'FLAKY',
      payload: null,
      options: { retry: { maxAttempts: 1 } },
    })),
  })
  await engine.enqueue('FLAKY', { times: 2 })
  await engine.idle()
  const { jobs } = await engine.stats()
  expect(jobs.DONE + jobs.FAILED).toBe(22)
})

test('a job of two seconds holds up none of the 99 that share its batch', async () => {
  const engine = await engines.open()
  // Known to take a millisecond, so that they go in batches of several.
  await engine.enqueueMany(Array.from({ length: 60 }, () => ({ type: 'MIXED', payload: { ms: 1 } }) as const))
  await engine.idle()
  const order: string[] = []
  engine.events.on('job-settled', ({ jobId }) => order.push(jobId))
  const jobs = await engine.enqueueMany(
    Array.from(
      { length: 100 },
      (_, n) => ({ type: 'MIXED', payload: { ms: n === 20 ? 2_000 : 1 } }) as const,
    ),
  )
  const slow = jobs[20]
  await Promise.all(jobs.filter((job) => job !== slow).map((job) => job.result()))
  await slow?.result()
  await engine.stats()
  expect(order.at(-1)).toBe(slow?.id)
  expect(order).toHaveLength(100)
})
