import { expect, test } from 'vitest'
import { readTable, rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

type Engine = Awaited<ReturnType<typeof engines.open>>

/** One thread that is busy until the gate opens, so that all that comes after it waits. */
async function withBusyThread(gate = 'busy'): Promise<Engine> {
  const engine = await engines.open({ threads: 1 })
  const { stage } = engines
  await engine.enqueue('DEAF', { gate })
  await stage.waits(gate)
  return engine
}

/** States by payload, of jobs that were given one. */
async function statesOf(engine: Engine): Promise<Record<string, string>> {
  const states: [string, string][] = []
  for (
    let page = await engine.list({ limit: 1_000 });
    ;
    page = await engine.list({ limit: 1_000, cursor: page.cursor })
  ) {
    for (const { payload, state } of page.jobs) if (typeof payload === 'string') states.push([payload, state])
    if (page.cursor === undefined) return Object.fromEntries(states.sort())
  }
}

test.each([
  [{ userTag: 'red' }, ['a', 'b', 'e']],
  [{ chainGroupId: 'g1' }, ['a', 'c']],
  [{ tag: 'red', group: 'g1' }, ['a']],
  [{ group: 'g1' }, ['a', 'c']],
  [{ queue: 'slow' }, ['b', 'd']],
  [{ subjectPrefix: 'file:' }, ['c', 'd']],
  [{ jobType: 'OK_AGAIN' }, ['e', 'f']],
  [{ userTag: 'red', chainGroupId: 'g1' }, ['a']],
  [{ userTag: 'red', queue: 'slow' }, ['b']],
  [{ queue: 'slow', subjectPrefix: 'file:' }, ['d']],
  [{ chainGroupId: 'g1', subjectPrefix: 'file:', jobType: 'OK', queue: 'default' }, ['c']],
  [{ userTag: 'red', jobType: 'OK_AGAIN' }, ['e']],
  [{ userTag: 'blue' }, []],
  [{ userTag: 'Red' }, []],
  [{ jobType: 'NO_SUCH_TYPE' }, []],
  [{ queue: 'slow', jobType: 'OK_AGAIN' }, []],
] as const)('%j cancels those of which all of it is true, claimed or not', async (criteria, expected) => {
  const engine = await withBusyThread()
  const addAll = async (mark: string) => {
    await engine.enqueue('OK', `a${mark}`, { userTag: 'red', chainGroupId: 'g1' })
    await engine.enqueue('OK', `b${mark}`, { userTag: 'red', queue: 'slow' })
    await engine.enqueue('OK', `c${mark}`, { subjectKey: `file:c${mark}`, chainGroupId: 'g1' })
    await engine.enqueue('OK', `d${mark}`, { subjectKey: `file:d${mark}`, queue: 'slow', priority: 5 })
    await engine.enqueue('OK_AGAIN', `e${mark}`, { userTag: 'red', priority: -5 })
    await engine.enqueue('OK_AGAIN', `f${mark}`, { subjectKey: `elsewhere:file:${mark}` })
  }
  await addAll('1')
  // Now nothing more can be claimed.
  await engine.enqueueMany(Array.from({ length: 2_000 }, () => ({ type: 'TINY' }) as const))
  await addAll('2')
  const before = await engine.stats()
  expect([before.jobs.RUNNING >= 7, before.jobs.QUEUED >= 6]).toEqual([true, true])
  const report = await engine.cancel(criteria)
  expect(report).toEqual({ waiting: expected.length * 2, running: 0 })
  engines.stage.open('busy')
  await engine.idle()
  const states = await statesOf(engine)
  expect(Object.keys(states)).toHaveLength(12)
  const cancelled = Object.keys(states).filter((name) => states[name] === 'CANCELLED')
  expect(cancelled).toEqual(expected.flatMap((name) => [`${name}1`, `${name}2`]))
  expect(Object.values(states).every((state) => state === 'CANCELLED' || state === 'DONE')).toBe(true)
  expect((await engine.stats()).jobs).toMatchObject({ CANCELLED: expected.length * 2, QUEUED: 0, RUNNING: 0 })
})

test('running handlers are asked to give way, and deaf ones are ended after their grace', async () => {
  const engine = await engines.open({ threads: 3 })
  const { stage } = engines
  const options = { userTag: 'red' }
  const jobs = [
    await engine.enqueue('POLLS', null, options),
    await engine.enqueue('SPINS_FOREVER', null, options),
    await engine.enqueue('LISTENS', null, options),
  ]
  await Promise.all(jobs.map(({ id }) => stage.began(id)))
  const results = jobs.map((job) => rejectionOf(job.result(), 'JOB_CANCELLED'))
  expect(await engine.cancel({ userTag: 'red' })).toEqual({ waiting: 0, running: 3 })
  await Promise.all(results)
  for (const { id } of jobs) expect((await engine.get(id))?.state).toBe('CANCELLED')
  const deaf = await engine.enqueue('SPINS_FOREVER', null, { queue: 'slow' })
  await stage.began(deaf.id)
  expect(await engine.cancel({ queue: 'slow' })).toEqual({ waiting: 0, running: 1 })
  await rejectionOf(deaf.result(), 'JOB_CANCELLED')
})

test.each([
  [{ userTag: 'red' }],
  [{ queue: 'red' }],
] as const)('%j reaches what is scheduled to be tried again, and what waits for its subject', async (criteria) => {
  const engine = await engines.open({ threads: 2 })
  const { stage } = engines
  const options = { userTag: 'red', queue: 'red' }
  const retried = new Promise((resolve) => engine.events.once('job-retried', resolve))
  const flaky = await engine.enqueue('FLAKY', { times: 1 }, { ...options, retry: { backoffMs: 60_000 } })
  await retried
  const older = await engine.enqueue('DEAF', { gate: 'g' }, { subjectKey: 's' })
  await stage.began(older.id)
  const newer = await engine.enqueue('OK', 'newer', { ...options, subjectKey: 's', onRunning: 'finish' })
  expect((await engine.get(newer.id))?.waitsFor).toBe('subject')
  const results = [flaky, newer].map((job) => rejectionOf(job.result(), 'JOB_CANCELLED'))
  expect(await engine.cancel(criteria)).toEqual({ waiting: 2, running: 0 })
  await Promise.all(results)
  stage.open('g')
  expect(await older.result()).toBe('ignored')
  await engine.idle()
  // The subject is free again.
  expect(await (await engine.enqueue('OK', 'next', { subjectKey: 's' })).result()).toBe('next')
})

test('a running older generation that is cancelled makes way for the newer one', async () => {
  const engine = await engines.open({ threads: 2 })
  const { stage } = engines
  const older = await engine.enqueue('LISTENS', null, { subjectKey: 's', userTag: 'red' })
  await stage.began(older.id)
  const newer = await engine.enqueue('OK', 'newer', { subjectKey: 's', onRunning: 'finish' })
  expect(await engine.cancel({ userTag: 'red' })).toEqual({ waiting: 0, running: 1 })
  await rejectionOf(older.result(), 'JOB_CANCELLED')
  expect(await newer.result()).toBe('newer')
})

test('jobs enqueued after the call run, with the same tag, of the same parent and tried again', async () => {
  const engine = await withBusyThread()
  const early = await engine.enqueue('OK', 'early', { userTag: 'red' })
  const cancelling = engine.cancel({ userTag: 'red' })
  const late = engine.enqueue('OK', 'late', { userTag: 'red' })
  expect(await cancelling).toEqual({ waiting: 1, running: 0 })
  const again = await engine.retry(early.id)
  engines.stage.open('busy')
  expect(await (await late).result()).toBe('late')
  expect(await again.result()).toBe('early')
  expect(await engine.get(again.id)).toMatchObject({ userTag: 'red', state: 'DONE' })
  await rejectionOf(early.result(), 'JOB_CANCELLED')
})

test('what one turn enqueued before the call is reached', async () => {
  const engine = await withBusyThread()
  const early = engine.enqueue('OK', 'early', { chainGroupId: 'g' })
  expect(await engine.cancel({ chainGroupId: 'g' })).toEqual({ waiting: 1, running: 0 })
  await rejectionOf((await early).result(), 'JOB_CANCELLED')
  engines.stage.open('busy')
})

test('many slices, two cancels at once: each job is counted and told once', { timeout: 60_000 }, async () => {
  const engine = await withBusyThread()
  const settled = new Map<string, number>()
  engine.events.on('job-settled', ({ jobId, state }) => {
    if (state === 'CANCELLED') settled.set(jobId, (settled.get(jobId) ?? 0) + 1)
  })
  function* both(count: number) {
    for (let n = 0; n < count; n++) {
      const userTag = n % 3 === 0 ? 'red' : 'blue'
      yield {
        type: 'TINY',
        options: { userTag, queue: n % 2 === 0 ? 'even' : 'odd', priority: n % 5 },
      } as const
    }
  }
  await engine.enqueueMany(both(18_000))
  const [tagged, queued] = await Promise.all([
    engine.cancel({ userTag: 'red' }),
    engine.cancel({ queue: 'even' }),
  ])
  // Of both together: a third, and half of the rest.
  expect(tagged.waiting + queued.waiting).toBe(12_000)
  expect([tagged.waiting >= 3_000, tagged.waiting <= 6_000, tagged.running + queued.running]).toEqual([
    true,
    true,
    0,
  ])
  engines.stage.open('busy')
  await engine.idle()
  const { jobs } = await engine.stats()
  expect([jobs.CANCELLED, jobs.DONE]).toEqual([12_000, 6_001])
  expect([settled.size, Math.max(...settled.values())]).toEqual([12_000, 1])
  await engine.stop()
  expect(
    readTable(
      engines.pathOf('tasks.db'),
      `SELECT DISTINCT state, user_tag = 'red' OR queue = 'even' AS matched FROM jobs WHERE queue <> 'default'`,
    ),
  ).toEqual(
    expect.arrayContaining([
      { state: 'CANCELLED', matched: 1 },
      { state: 'DONE', matched: 0 },
    ]),
  )
  expect(readTable(engines.pathOf('tasks.db'), 'SELECT id FROM cancel_requests')).toEqual([])
})

test('nothing that matches starts once the cancel is asked for, while threads are free', async () => {
  const engine = await engines.open({ threads: 2 })
  await engine.enqueueMany(
    Array.from({ length: 9_000 }, (_, n) => {
      const options = n % 2 === 0 ? { userTag: 'red' } : { queue: 'other' }
      return { type: 'TINY', payload: { ms: 0.05 }, options } as const
    }),
  )
  const { waiting, running } = await engine.cancel({ userTag: 'red' })
  // By now none is left that could start.
  expect((await engine.list({ userTag: 'red', state: 'QUEUED' })).jobs).toEqual([])
  await engine.idle()
  const { jobs } = await engine.stats()
  expect([jobs.CANCELLED, jobs.DONE + jobs.CANCELLED]).toEqual([waiting + running, 9_000])
  expect(waiting).toBeGreaterThan(0)
})

test('an engine that is stopped in the midst of it goes on with it at its next start', async () => {
  const first = await withBusyThread()
  await first.enqueueMany(
    Array.from({ length: 9_000 }, () => ({ type: 'TINY', options: { queue: 'slow' } }) as const),
  )
  const kept = await first.enqueue('OK', 'kept')
  const asked = rejectionOf(first.cancel({ queue: 'slow' }), 'ENGINE_STOPPED')
  await first.stop({ graceMs: 0 })
  await asked
  const left = 'SELECT id FROM cancel_requests'
  expect(readTable(engines.pathOf('tasks.db'), left)).toHaveLength(1)
  engines.stage.open('busy')
  const second = await engines.open({ threads: 2 })
  await second.idle()
  expect((await second.stats()).queues.slow).toMatchObject({ CANCELLED: 9_000, DONE: 0 })
  expect((await second.get(kept.id))?.state).toBe('DONE')
  await second.stop()
  expect(readTable(engines.pathOf('tasks.db'), left)).toEqual([])
})

test('more of them than may be under way are refused', async () => {
  const engine = await engines.open({ threads: 1 })
  const outcomes = await Promise.allSettled(
    Array.from({ length: 3_000 }, (_, n) => engine.cancel({ userTag: `tag ${n}` })),
  )
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []))
  expect(new Set(refused)).toEqual(new Set(['OVERLOADED']))
  expect(await engine.cancel({ userTag: 'one more' })).toEqual({ waiting: 0, running: 0 })
})

test('bad criteria are refused, naming the field', async () => {
  const engine = await engines.open({ threads: 1 })
  const job = await engine.enqueue('OK')
  for (const [field, criteria] of [
    ['criteria', {}],
    ['tag', { tag: 'x', userTag: 'x' }],
    ['userTag', { tag: '' }],
    ['chainGroupId', { group: undefined, queue: 'default' }],
    ['label', { label: 'x' }],
    ['state', { userTag: 'x', state: 'QUEUED' }],
    ['userTag', { userTag: undefined, queue: 'default' }],
    ['userTag', { userTag: '' }],
    ['userTag', { userTag: 'x'.repeat(129) }],
    ['userTag', { userTag: 'half \ud83d' }],
    ['chainGroupId', { chainGroupId: 'a\0' }],
    ['chainGroupId', { chainGroupId: 5 }],
    ['queue', { queue: 'a b' }],
    ['subjectPrefix', { subjectPrefix: '' }],
    ['jobType', { jobType: null }],
    ['toString', { toString: 'x' }],
    ['jobs', null],
    ['jobs', 5],
    ["criteria is Set(1) { 'x' }.", new Set(['x'])],
    ['the id of the job, as `job.id`', job],
    ['the id of the job, as `job.id`', await engine.get(job.id)],
  ] as const) {
    // @ts-expect-error what only JavaScript can pass
    const { message } = await rejectionOf(engine.cancel(criteria), 'OPTION_INVALID')
    expect(message).toContain(field)
  }
})
