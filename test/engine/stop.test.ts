import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines({ threads: 2 })

test('handlers that listen give way, and go on at the next start', async () => {
  const first = await engines.open()
  const stage = engines.stage
  const jobs = [await first.enqueue('GATE', { gate: 'g', n: 1 }), await first.enqueue('POLLS')]
  for (const job of jobs) await stage.began(job.id)
  const results = jobs.map((job) => rejectionOf(job.result(), 'ENGINE_STOPPED'))
  const report = await first.stop()
  await Promise.all(results)
  expect(report).toMatchObject({ graceful: true, putBackWaiting: 0, putBackRunning: 2, threadsEnded: 0 })
  const second = await engines.open()
  const [gate, polls] = jobs.map(({ id }) => id)
  if (gate === undefined || polls === undefined) throw new Error('two jobs')
  await stage.began(gate, 2)
  stage.open('g')
  // Not charged: it is no failure, but the attempt's number is not given again.
  await stage.began(polls, 2)
  await second.cancel(polls)
  await second.idle()
  expect(await second.get(gate)).toMatchObject({ state: 'DONE', attempt: 2, failures: 0, result: { n: 1 } })
  expect(stage.attemptsOf(gate)).toEqual([1, 2])
})

test('handlers that do not listen are ended with their thread, and put back', async () => {
  const first = await engines.open()
  const stage = engines.stage
  const deaf = await first.enqueue('DEAF', { gate: 'never' })
  const spins = await first.enqueue('SPINS', { ms: 60_000 })
  await stage.began(deaf.id)
  await stage.began(spins.id)
  const started = performance.now()
  const report = await first.stop({ graceMs: 100 })
  expect(performance.now() - started).toBeLessThan(5_000)
  expect(report).toMatchObject({ graceful: false, putBackRunning: 2, threadsEnded: 2 })
  expect(report.elapsedMs).toBeGreaterThanOrEqual(95)
  stage.open('never')
  const second = await engines.open({ threads: 3 })
  await stage.began(deaf.id, 2)
  await stage.began(spins.id, 2)
  await second.cancel(spins.id)
  expect(await second.get(deaf.id)).toMatchObject({ attempt: 2, failures: 0 })
  expect((await second.get(spins.id))?.failedAttempts).toEqual([])
  await second.stop({ graceMs: 100 })
})

test('jobs that wait are kept, those that were claimed with their attempt not counted', async () => {
  const first = await engines.open({ threads: 1 })
  const stage = engines.stage
  await first.enqueue('GATE', { gate: 'g' })
  await stage.waits('g')
  const claimed = await first.enqueue('CONTEXT', {}, { priority: 9 })
  const many = await first.enqueueMany(
    Array.from({ length: 3_000 }, (_, n) => ({ type: 'OK', payload: n }) as const),
  )
  const later = await first.enqueue('FLAKY', { times: 0 }, { subjectKey: 's', generation: 9 })
  const report = await first.stop()
  expect(report.graceful).toBe(true)
  expect(report.putBackWaiting).toBeGreaterThan(0)
  expect(report.putBackWaiting).toBeLessThan(3_000)
  stage.open('g')
  const second = await engines.open()
  await second.idle()
  expect((await second.get(claimed.id))?.result).toMatchObject({ attempt: 1 })
  expect((await second.get(later.id))?.state).toBe('DONE')
  expect((await second.stats()).jobs).toMatchObject({ DONE: 3_003, QUEUED: 0 })
  for (const n of [0, 1_500, 2_999]) expect((await second.get(many[n]?.id ?? ''))?.result).toBe(n)
})

test('stop is one, however often and by whom it is asked', async () => {
  const engine = await engines.open()
  await engine.enqueueMany(
    Array.from({ length: 1_000 }, () => ({ type: 'TINY', payload: { ms: 1 } }) as const),
  )
  const reports = await Promise.all([
    engine.stop(),
    engine.stop({ graceMs: 0 }),
    engine[Symbol.asyncDispose](),
  ])
  expect(reports[0]).toBe(reports[1])
  expect(await engine.stop()).toBe(reports[0])
  for (const asked of [
    engine.enqueue('OK'),
    engine.enqueueMany([{ type: 'OK' }]),
    engine.enqueueMany([{ type: 'OK' } as const].values()),
    engine.ready(),
    engine.stats(),
    engine.idle(),
    engine.list(),
    engine.cancel([]),
  ]) {
    await rejectionOf(asked, 'ENGINE_STOPPED')
  }
})

test('what was enqueued in the turn of the stop is either kept or refused', async () => {
  const first = await engines.open()
  const adding = Array.from({ length: 1_500 }, (_, n) => first.enqueue('OK', n))
  const stopping = first.stop()
  const settled = await Promise.allSettled(adding)
  await stopping
  const kept = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value.id] : []))
  for (const one of settled)
    if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'ENGINE_STOPPED' })
  const second = await engines.open()
  await second.idle()
  expect((await second.stats()).jobs.DONE).toBe(kept.length)
})

test('a stream that is under way ends with the engine', async () => {
  const engine = await engines.open({ maxPendingJobs: 600 })
  async function* endless() {
    for (;;) yield { type: 'OK' } as const
  }
  const stream = rejectionOf(engine.enqueueMany(endless()), 'ENGINE_STOPPED')
  await engine.enqueue('OK').then((job) => job.result())
  await engine.stop()
  await stream
})

test('who waits for idle hears of the stop', async () => {
  const engine = await engines.open()
  const stage = engines.stage
  const job = await engine.enqueue('LISTENS')
  await stage.began(job.id)
  const idle = rejectionOf(engine.idle(), 'ENGINE_STOPPED')
  await engine.stop()
  await idle
  const second = await engines.open()
  await second.cancel(job.id)
})

test('a handler that ends its thread while the engine stops holds nothing up', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const job = await engine.enqueue('DEAF', { gate: 'g', ending: 'exit' })
  await stage.waits('g')
  const stopping = engine.stop({ graceMs: 30_000 })
  stage.open('g')
  const report = await stopping
  expect(report.elapsedMs).toBeLessThan(15_000)
  // It was charged with the death of its thread, and is tried once more.
  const second = await engines.open()
  await second.idle()
  const details = await second.get(job.id)
  expect(details?.failedAttempts.map(({ cause }) => cause)).toEqual(['EXITED', 'EXITED'])
})

test('an engine starts and stops many times', async () => {
  const before = process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort').length
  for (let round = 0; round < 6; round++) {
    const engine = await engines.open()
    const job = await engine.enqueue('OK', round)
    expect(await job.result()).toBe(round)
    expect(await engine.stop()).toMatchObject({ graceful: true, threadsEnded: 0 })
  }
  expect(process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort')).toHaveLength(before)
})

test('a second engine on the same file is refused, and names the first', async () => {
  const engine = await engines.open()
  const error = await rejectionOf(engines.open(), 'DATABASE_LOCKED')
  expect(error.message).toContain(String(process.pid))
  expect(error.details).toMatchObject({ holder: { pid: process.pid } })
  // The first has come to no harm.
  expect(await (await engine.enqueue('OK', 1)).result()).toBe(1)
  await engine.stop()
  expect(await (await (await engines.open()).enqueue('OK', 2)).result()).toBe(2)
})
