/** Payloads travel as texts within a text, and by the line: none of them may come out as something else. */
import { expect, test } from 'vitest'
import { readTable, useEngines } from './open-engine.ts'

const engines = useEngines()

const awkward: readonly unknown[] = [
  null,
  '',
  0,
  -0.5,
  1e21,
  true,
  [],
  {},
  'two\nlines\r\n and \u2028 and a \0 in it',
  'a "quoted" \\ and \\n that is none',
  'half a pair: \ud83d',
  'a whole one: \u{1f600}',
  { '': { 'a\nb': ['\t', null] } },
  '[1,2]',
  'x'.repeat(100_000),
]

test('every payload comes back as it was, whichever way it takes into the store', async () => {
  const engine = await engines.open({ threads: 1 })
  await engine.enqueue('GATE', { gate: 'g' })
  await engines.stage.waits('g')
  // As many as are claimed ahead, so that the last ones join the backlog.
  const plain = (payload: unknown) => ({ type: 'OK', payload }) as const
  const claimed = await engine.enqueueMany(awkward.map(plain))
  const filling = await engine.enqueueMany(Array.from({ length: 2_000 }, (_, n) => plain(n)))
  const queued = await engine.enqueueMany(awkward.map(plain))
  const mixed = await Promise.all(
    awkward.map((payload, n) => engine.enqueue(n % 2 === 0 ? 'OK' : 'OK_AGAIN', payload)),
  )
  const withOptions = await Promise.all(
    awkward.map((payload) => engine.enqueue('OK', payload, { priority: 1 })),
  )
  for (const jobs of [claimed, queued, mixed, withOptions]) {
    const stored = await Promise.all(jobs.map((job) => engine.get(job.id)))
    expect(stored.map((job) => job?.payload)).toEqual(awkward)
  }
  engines.stage.open('g')
  for (const jobs of [claimed, queued, mixed, withOptions]) {
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(awkward)
  }
  expect(await filling.at(-1)?.result()).toBe(1_999)
})

test('long payloads do not swell the table of jobs, and are tried again as they were', async () => {
  const engine = await engines.open({ threads: 1 })
  const payload = { times: 1, text: 'long '.repeat(20_000) }
  const jobs = await Promise.all(
    Array.from({ length: 20 }, (_, n) => engine.enqueue('FLAKY', n % 2 === 0 ? payload : { times: 0 })),
  )
  for (const [n, job] of jobs.entries()) expect(await job.result()).toBe(n % 2 === 0 ? 2 : 1)
  const again = await engine.retry(jobs[0]?.id ?? '')
  expect(await again.result()).toBe(2)
  expect((await engine.get(again.id))?.payload).toEqual(payload)
  await engine.stop()
  const [longest] = readTable<{ characters: number }>(
    engines.pathOf('tasks.db'),
    'SELECT MAX(LENGTH(payload)) AS characters FROM jobs',
  )
  expect(longest?.characters).toBeLessThan(100)
})
