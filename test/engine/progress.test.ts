import { expect, test } from 'vitest'
import { readTable, rejectionOf, useEngines } from './open-engine.ts'
import { openLeaving } from './open-leaving.ts'

const engines = useEngines()
const progress = (...values: unknown[]) => ({ call: 'progress', values })

test('the last progress is kept with the job, also over a new start', async () => {
  const engine = await openLeaving(engines)
  const before = Date.now()
  const steps = Array.from({ length: 50 }, (_, n) => progress(n / 50, `step ${n}`))
  const job = await engine.enqueue('CALLS', { calls: [...steps, progress(0.25)] })
  await job.result()
  const expected = { fraction: 0.25, note: undefined, at: expect.any(Date) }
  const details = await engine.get(job.id)
  expect(details?.progress).toEqual(expected)
  expect(Number(details?.progress?.at)).toBeGreaterThanOrEqual(before)
  expect(Number(details?.progress?.at)).toBeLessThanOrEqual(Date.now())
  await engine.stop()
  const next = await openLeaving(engines)
  expect((await next.get(job.id))?.progress).toEqual(expected)
})

test('it is told and kept while the handler runs', async () => {
  const engine = await openLeaving(engines)
  const { stage } = engines
  const told = new Promise((resolve) => engine.events.once('job-progress', resolve))
  const job = await engine.enqueue('CALLS_AND_WAITS', { calls: [progress(0.5, 'half')], gate: 'g' })
  expect(await told).toEqual({ jobId: job.id, jobType: 'CALLS_AND_WAITS', fraction: 0.5, note: 'half' })
  expect(await engine.get(job.id)).toMatchObject({
    state: 'RUNNING',
    progress: { fraction: 0.5, note: 'half' },
  })
  stage.open('g')
  await job.result()
})

test('a job that waits after a burst is heard to its last word', async () => {
  const engine = await openLeaving(engines)
  const { stage } = engines
  const heard = new Promise<void>((resolve) => {
    engine.events.on('job-progress', ({ fraction }) => {
      if (fraction === 1) resolve()
    })
  })
  const calls = Array.from({ length: 100 }, (_, n) => progress((n + 1) / 100))
  const job = await engine.enqueue('CALLS_AND_WAITS', { calls, gate: 'g' })
  await heard
  stage.open('g')
  await job.result()
})

test('a million calls are few reports, of which the last one is kept', async () => {
  const engine = await openLeaving(engines)
  const told: number[] = []
  engine.events.on('job-progress', ({ fraction }) => told.push(fraction))
  const job = await engine.enqueue('COUNTS', { times: 1_000_000 })
  const elapsedMs = Number(await job.result())
  expect((await engine.get(job.id))?.progress).toMatchObject({ fraction: 1, note: 'step 1000000' })
  await engine.stats()
  expect(told.at(-1)).toBe(1)
  // A few in a row, ten a second, and the last one.
  expect(told.length).toBeLessThanOrEqual(5 + elapsedMs / 100 + 2)
  expect(told).toEqual(told.toSorted((one, other) => one - other))
})

test('who has stopped listening is told nothing more, and a job that tells nothing leaves no row', async () => {
  const engine = await openLeaving(engines)
  const told: unknown[] = []
  const listener = (event: unknown) => told.push(event)
  engine.events.on('job-progress', listener)
  await (await engine.enqueue('CALLS', { calls: [progress(0.1)] })).result()
  await engine.stats()
  engine.events.off('job-progress', listener)
  const silent = await engine.enqueue('PLAIN', 1)
  await silent.result()
  await (await engine.enqueue('CALLS', { calls: [progress(0.2)] })).result()
  await engine.stats()
  expect(told).toHaveLength(1)
  expect((await engine.get(silent.id))?.progress).toBeUndefined()
  await engine.stop()
  const rows = readTable(engines.pathOf('tasks.db'), 'SELECT seq, fraction FROM progress ORDER BY seq')
  expect(rows).toEqual([
    { seq: 1, fraction: 0.1 },
    { seq: 3, fraction: 0.2 },
  ])
})

test.each(['spin', 'exit'] as const)('it stays when the thread ends by force: %s', async (ending) => {
  const engine = await openLeaving(engines)
  const { stage } = engines
  const calls = [progress(0.1), progress(0.2), progress(0.3, 'about to end')]
  const job = await engine.enqueue('CALLS_AND_ENDS', { calls, ending })
  await stage.began(job.id)
  if (ending === 'spin') await engine.cancel(job.id)
  await job.result().catch(() => {})
  expect((await engine.get(job.id))?.progress).toMatchObject({ fraction: 0.3, note: 'about to end' })
})

test('what was held back goes out before a handler ends its thread', async () => {
  const engine = await openLeaving(engines)
  const calls = Array.from({ length: 100 }, (_, n) => progress((n + 1) / 100))
  const job = await engine.enqueue('CALLS_AND_ENDS', { calls, ending: 'exit' })
  await job.result()
  expect(await engine.get(job.id)).toMatchObject({ attempt: 2, progress: { fraction: 1 } })
})

test('it stays when the engine stops, and the job is put back', async () => {
  const engine = await openLeaving(engines)
  const { stage } = engines
  const calls = [progress(0.1), progress(0.7)]
  const job = await engine.enqueue('CALLS_AND_ENDS', { calls, ending: 'spin' })
  await stage.began(job.id)
  expect(await engine.stop({ graceMs: 0 })).toMatchObject({ threadsEnded: 1, putBackRunning: 1 })
  expect(readTable(engines.pathOf('tasks.db'), 'SELECT fraction FROM progress')).toEqual([{ fraction: 0.7 }])
})

test('that of a failed attempt stays too', async () => {
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('CALLS', { calls: [progress(0.4, 'then failed')], failures: 9 })
  await rejectionOf(job.result(), 'JOB_FAILED')
  expect((await engine.get(job.id))?.progress).toMatchObject({ fraction: 0.4, note: 'then failed' })
})

test('a long note is cut', async () => {
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('CALLS', { calls: [progress(1, `${'x'.repeat(199)}😀`)] })
  await job.result()
  expect((await engine.get(job.id))?.progress?.note).toBe(`${'x'.repeat(199)}\uFFFD`)
})

const refused: readonly (readonly [string, readonly unknown[], RegExp])[] = [
  ['no fraction', [], /fraction.* is undefined/],
  ['a text', ['0.5'], /fraction.* is "0.5"/],
  ['not a number', [{ is: 'nan' }], /fraction.* is NaN/],
  ['more than all', [1.01], /a number from 0 to 1/],
  ['less than nothing', [-0.01], /a number from 0 to 1/],
  ['without end', [{ is: 'infinity' }], /Infinity/],
  ['a note that is no text', [0.5, 7], /note.* is 7/],
  ['no note but null', [0.5, null], /note.* is null/],
]

test('what is no progress is refused, each with its reason', async () => {
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('CALLS', { calls: refused.map(([, given]) => progress(...given)) })
  const outcomes = (await job.result()) as unknown[]
  for (const [place, [name, , message]] of refused.entries()) {
    const expected = { code: 'OPTION_INVALID', message: expect.stringMatching(message) }
    expect(outcomes[place], name).toEqual(expected)
  }
  expect((await engine.get(job.id))?.progress).toBeUndefined()
})
