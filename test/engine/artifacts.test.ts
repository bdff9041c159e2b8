import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'
import { openLeaving } from './open-leaving.ts'

const engines = useEngines()
const artifact = (...values: unknown[]) => ({ call: 'artifact', values })
const folder = (jobId: string) => join(realpathSync(engines.folder), 'tasks.db-files', 'artifacts', jobId)
const contents = (path: string) => readFileSync(path, 'utf8')

test('text, bytes and files are kept, and listed with their place', async () => {
  const engine = await openLeaving(engines)
  const file = engines.pathOf('source.txt')
  writeFileSync(file, 'from a file')
  const job = await engine.enqueue('CALLS', {
    calls: [artifact('a.txt', 'häh'), artifact('b.bin', { is: 'bytes' }), artifact('..c', { path: file })],
  })
  const paths = ['a.txt', 'b.bin', '..c'].map((name) => join(folder(job.id), name))
  expect(await job.result()).toEqual(paths)
  expect((await engine.get(job.id))?.artifacts).toEqual([
    { name: 'a.txt', bytes: 4, path: paths[0], exists: true },
    { name: 'b.bin', bytes: 3, path: paths[1], exists: true },
    { name: '..c', bytes: 11, path: paths[2], exists: true },
  ])
  const [listed] = (await engine.list()).jobs
  expect(listed?.artifacts).toEqual([
    { name: 'a.txt', bytes: 4, path: paths[0] },
    { name: 'b.bin', bytes: 3, path: paths[1] },
    { name: '..c', bytes: 11, path: paths[2] },
  ])
  expect(contents(paths[0] ?? '')).toBe('häh')
  expect([...readFileSync(paths[1] ?? '')]).toEqual([0, 255, 10])
  expect(contents(paths[2] ?? '')).toBe('from a file')
  expect(readdirSync(engines.pathOf('tasks.db-files/partial'))).toEqual([])
  rmSync(paths[1] ?? '')
  expect((await engine.get(job.id))?.artifacts.map(({ exists }) => exists)).toEqual([true, false, true])
})

// The first tells a size that is too small, the other one that is too large.
const untrue = ['/proc/version', '/sys/kernel/mm/transparent_hugepage/enabled'].filter((path) =>
  existsSync(path),
)

test('files whose size is not what they hold are kept whole', async () => {
  const engine = await openLeaving(engines)
  const calls = untrue.map((path, number) => artifact(`${number}`, { path }))
  const job = await engine.enqueue('CALLS', { calls })
  const kept = (await job.result()) as string[]
  expect(kept.map(contents)).toEqual(untrue.map(contents))
  expect((await engine.get(job.id))?.artifacts.map(({ bytes }) => bytes)).toEqual(
    untrue.map((path) => readFileSync(path).length),
  )
})

test('the same name again replaces the file, in a later attempt as well', async () => {
  const engine = await openLeaving(engines)
  const calls = [artifact('a', 'old'), artifact('a', 'newer'), artifact('b', '')]
  const job = await engine.enqueue('CALLS', { calls, failures: 1 })
  await job.result()
  expect((await engine.get(job.id))?.artifacts).toMatchObject([
    { name: 'a', bytes: 5 },
    { name: 'b', bytes: 0 },
  ])
  expect(contents(join(folder(job.id), 'a'))).toBe('newer')
})

test('they are listed while the handler runs, and when it fails for good', async () => {
  const engine = await openLeaving(engines)
  const { stage } = engines
  const running = await engine.enqueue('CALLS_AND_WAITS', { calls: [artifact('early', 'x')], gate: 'g' })
  await stage.waits('g')
  // Committed after the news that the thread had sent before it came to the gate.
  await engine.stats()
  let details = await engine.get(running.id)
  while (details?.artifacts.length === 0) details = await engine.get(running.id)
  expect(details).toMatchObject({ state: 'RUNNING', artifacts: [{ name: 'early', bytes: 1 }] })
  stage.open('g')
  const failing = await engine.enqueue('CALLS', { calls: [artifact('evidence', 'xy')], failures: 9 })
  await rejectionOf(failing.result(), 'JOB_FAILED')
  expect((await engine.get(failing.id))?.artifacts).toMatchObject([{ name: 'evidence', bytes: 2 }])
  expect((await engine.get((await engine.enqueue('PLAIN')).id))?.artifacts).toEqual([])
})

test.each(['spin', 'exit'] as const)('they stay when the thread ends by force: %s', async (ending) => {
  const engine = await openLeaving(engines)
  const { stage } = engines
  const calls = [artifact('a', 'x'), { call: 'summarize', values: [{ so: 'far' }] }]
  const job = await engine.enqueue('CALLS_AND_ENDS', { calls, ending })
  await stage.began(job.id)
  if (ending === 'spin') await engine.cancel(job.id)
  await job.result().catch(() => {})
  expect(await engine.get(job.id)).toMatchObject({
    artifacts: [{ name: 'a', bytes: 1 }],
    resultSummary: { so: 'far' },
  })
})

const refused: readonly (readonly [string, readonly unknown[]])[] = [
  ['no name', ['', 'x']],
  ['a name that is no text', [5, 'x']],
  ['a path', ['a/b', 'x']],
  ['a path as Windows has it', ['..\\b', 'x']],
  ['the way out', ['..', 'x']],
  ['the folder itself', ['.', 'x']],
  ['a longer way out', ['../../tasks.db', 'x']],
  ['an absolute path', ['/etc/passwd', 'x']],
  ['a name with a NUL', ['a\0b', 'x']],
  ['a name of more than 200 characters', ['x'.repeat(201), 'x']],
  ['a name of more than 255 bytes', ['ä'.repeat(150), 'x']],
  ['a name that is no Unicode', ['\ud800', 'x']],
  ['no data', ['a']],
  ['data that is neither text nor bytes', ['a', 5]],
  ['data that is null', ['a', null]],
  ['a path that is no text', ['a', { path: 5 }]],
  ['an empty path', ['a', { path: '' }]],
  ['a path to nothing', ['a', { path: '/nowhere/at/all' }]],
  ['a path to a folder', ['a', { path: '/' }]],
  ['a path to what never ends', ['a', { path: '/dev/zero' }]],
]

test('what is no artifact is refused', async () => {
  const engine = await openLeaving(engines)
  const calls = refused.map(([, given]) => artifact(...given))
  const job = await engine.enqueue('CALLS', { calls: [...calls, artifact('good', 'x')] })
  const outcomes = (await job.result()) as unknown[]
  for (const [place, [name]] of refused.entries())
    expect(outcomes[place], name).toMatchObject({ code: 'ARTIFACT_INVALID' })
  expect((await engine.get(job.id))?.artifacts.map(({ name }) => name)).toEqual(['good'])
  expect(readdirSync(folder(job.id))).toEqual(['good'])
})

test('files of the open database are not copied', async () => {
  const engine = await openLeaving(engines)
  symlinkSync(engines.pathOf('tasks.db'), engines.pathOf('link'))
  // Where jobs are programs, the list of those that run is a database too.
  const programs = ['tasks.db-processes.db', 'tasks.db-processes.db-wal', 'tasks.db-processes.db-shm']
  for (const name of programs) writeFileSync(engines.pathOf(name), 'as if')
  const names = ['tasks.db', 'tasks.db-wal', 'tasks.db.lock', 'link', ...programs]
  const job = await engine.enqueue('CALLS', {
    calls: names.map((name) => artifact('copy', { path: engines.pathOf(name) })),
  })
  const refusals = (await job.result()) as { code: string; message: string }[]
  expect(refusals.map(({ code }) => code)).toEqual(names.map(() => 'ARTIFACT_INVALID'))
  expect(refusals[0]?.message).toContain('a file of the open database')
})

test('links in the place of an artifact or its folder are not followed', async () => {
  const engine = await openLeaving(engines)
  const { stage } = engines
  const victim = engines.pathOf('victim')
  writeFileSync(victim, 'unharmed')
  const first = await engine.enqueue('CALLS_AND_WAITS', { calls: [artifact('a', 'x')], gate: 'g' })
  await stage.waits('g')
  const [second, third] = await Promise.all(
    [1, 2].map(() => engine.enqueue('CALLS', { calls: [artifact('a', 'over the link')] })),
  )
  mkdirSync(folder(second?.id ?? ''))
  symlinkSync(victim, join(folder(second?.id ?? ''), 'a'))
  mkdirSync(engines.pathOf('elsewhere'))
  symlinkSync(engines.pathOf('elsewhere'), folder(third?.id ?? ''))
  stage.open('g')
  await first.result()
  expect(await second?.result()).toEqual([join(folder(second?.id ?? ''), 'a')])
  expect(lstatSync(join(folder(second?.id ?? ''), 'a')).isSymbolicLink()).toBe(false)
  expect(contents(victim)).toBe('unharmed')
  expect(await third?.result()).toEqual([
    { code: 'ARTIFACT_INVALID', message: expect.stringContaining('is a link to') },
  ])
  expect(readdirSync(engines.pathOf('elsewhere'))).toEqual([])
})

test('nothing is written through a link in the place of the folder, and the job goes on', async () => {
  mkdirSync(engines.pathOf('elsewhere'))
  symlinkSync(engines.pathOf('elsewhere'), engines.pathOf('tasks.db-files'))
  const engine = await openLeaving(engines)
  const failed = new Promise((resolve) => engine.events.once('job-log-failed', resolve))
  const job = await engine.enqueue('CALLS', {
    calls: [artifact('a', 'x'), { call: 'log', values: ['line'] }],
  })
  const advice = expect.stringContaining('to have it on another disk, mount that there.')
  expect(await job.result()).toMatchObject([{ code: 'ARTIFACT_INVALID', message: advice }, null])
  expect(await failed).toMatchObject({ jobId: job.id, error: { code: 'JOB_LOG_FAILED', message: advice } })
  expect(readdirSync(engines.pathOf('elsewhere'))).toEqual([])
})

test('one that cannot be written says so', async () => {
  writeFileSync(engines.pathOf('tasks.db-files'), 'in the way')
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('CALLS', { calls: [artifact('a', 'x')] })
  expect(await job.result()).toEqual([
    { code: 'ARTIFACT_FAILED', message: expect.stringContaining('cannot be written') },
  ])
})

test('an attempt keeps a thousand at most, under new names', async () => {
  const engine = await openLeaving(engines)
  const calls = Array.from({ length: 1_001 }, (_, n) => artifact(`a${n}`, ''))
  const job = await engine.enqueue('CALLS', { calls: [...calls, artifact('a0', 'again')] })
  const outcomes = (await job.result()) as unknown[]
  expect(outcomes.slice(-2)).toMatchObject([{ code: 'ARTIFACT_INVALID' }, join(folder(job.id), 'a0')])
  expect((await engine.get(job.id))?.artifacts).toHaveLength(1_000)
})

test('a summary is kept beside the result, and a long one as an artifact', async () => {
  const engine = await openLeaving(engines)
  const summarize = (value: unknown) => ({ call: 'summarize', values: [value] })
  const short = await engine.enqueue('CALLS', { calls: [summarize(1), summarize('x'.repeat(4_094))] })
  const long = await engine.enqueue('CALLS', { calls: [summarize('x'.repeat(4_095))] })
  await Promise.all([short.result(), long.result()])
  expect(await engine.get(short.id)).toMatchObject({ resultSummary: 'x'.repeat(4_094), artifacts: [] })
  const path = join(folder(long.id), 'result-summary.json')
  expect(await engine.get(long.id)).toMatchObject({
    resultSummary: { artifact: 'result-summary.json' },
    artifacts: [{ name: 'result-summary.json', bytes: 4_097, path }],
  })
  expect(JSON.parse(contents(path))).toBe('x'.repeat(4_095))
  const none = await engine.enqueue('CALLS', {
    calls: [summarize({ is: 'nothing' }), summarize({ is: 'bigint' })],
  })
  expect(await none.result()).toMatchObject([{ code: 'RESULT_NOT_JSON' }, { code: 'RESULT_NOT_JSON' }])
  expect((await engine.get(none.id))?.resultSummary).toBeUndefined()
  const huge = await engine.enqueue('CALLS_HUGE_SUMMARY')
  expect(await huge.result()).toMatchObject({ code: 'RESULT_TOO_LARGE' })
})

test('a long summary has its artifact for itself, and takes it along when a short one comes', async () => {
  const engine = await openLeaving(engines)
  const summarize = (value: unknown) => ({ call: 'summarize', values: [value] })
  const long = summarize('x'.repeat(5_000))
  const mine = artifact('result-summary.json', 'mine')
  const [named, same, later, again] = await Promise.all([
    engine.enqueue('CALLS', { calls: [mine, long] }),
    engine.enqueue('CALLS', { calls: [artifact('a', 'x'), long, summarize(1)] }),
    engine.enqueue('CALLS', { calls: [long, artifact('a', 'x')], failures: 1, later: [summarize(2)] }),
    engine.enqueue('CALLS', { calls: [long, summarize(3), long] }),
  ])
  const [refusal] = (await named.result()) as unknown[]
  expect(refusal).toMatchObject({ code: 'ARTIFACT_INVALID' })
  const reference = { artifact: 'result-summary.json' }
  const kept = [{ name: 'result-summary.json', bytes: 5_002, exists: true }]
  expect(await engine.get(named.id)).toMatchObject({ resultSummary: reference, artifacts: kept })
  for (const [job, resultSummary] of [
    [same, 1],
    [later, 2],
  ] as const) {
    await job.result()
    expect(await engine.get(job.id)).toMatchObject({ resultSummary, artifacts: [{ name: 'a' }] })
    expect(readdirSync(folder(job.id))).toEqual(['a'])
  }
  await again.result()
  expect(await engine.get(again.id)).toMatchObject({ resultSummary: reference, artifacts: kept })
})

test('a context that has ended keeps nothing more', async () => {
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('KEEPS')
  await job.result()
  const calls = [artifact('late', 'x'), { call: 'summarize', values: [1] }, { call: 'progress', values: [1] }]
  const user = await engine.enqueue('USES_KEPT', { calls })
  expect(await user.result()).toMatchObject(calls.map(() => ({ code: 'HANDLER_ENDED' })))
  expect(await engine.get(job.id)).toMatchObject({
    progress: undefined,
    resultSummary: undefined,
    artifacts: [],
  })
})
