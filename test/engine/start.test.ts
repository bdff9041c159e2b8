import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { metrics } from '@opentelemetry/api'
import Connection from 'better-sqlite3'
import { expect, test, vi } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import type { ErrorCode } from '../../src/errors.ts'
import counter from '../fixtures/actors/counter.ts'
import exitsInThreads from '../fixtures/jobs/exits-in-threads.ts'
import { jobs as noDefault } from '../fixtures/jobs/no-default.ts'
import throwsInThreads from '../fixtures/jobs/throws-in-threads.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()
const setup = fileURLToPath(new URL('../fixtures/jobs/set-up.ts', import.meta.url))

/** A start that fails leaves the database free: a following good start works, and nothing was lost. */
async function expectFree(): Promise<void> {
  const engine = await engines.open()
  expect(await (await engine.enqueue('OK', 'free')).result()).toBe('free')
  await engine.stop()
}

test('a jobs module that does not load in threads refuses the start', async () => {
  const cases = [
    [throwsInThreads, 'JOBS_MODULE_INVALID', 'this module does not load in a thread'],
    [exitsInThreads, 'START_FAILED', 'died before it was ready'],
    [noDefault, 'JOBS_MODULE_INVALID', 'no-default.ts is undefined'],
  ] as const
  for (const [jobs, code, text] of cases) {
    const error = await rejectionOf(
      Engine.start({ jobs, database: engines.pathOf('tasks.db'), threads: 2, logLevel: 'silent' }),
      code,
    )
    expect(error.message).toContain(text)
    await expectFree()
  }
})

test('the set-up module runs in each thread before the handlers, and refuses the start when it fails', async () => {
  const engine = await engines.open({ setup })
  expect(await (await engine.enqueue('SETUP')).result()).toBe('set up before the handlers')
  await engine.stop()
  process.env.SCRIPTED_SET_UP_FORBIDDEN = engines.pathOf('forbidden')
  try {
    writeFileSync(engines.pathOf('forbidden'), '')
    const error = await rejectionOf(engines.open({ setup }), 'JOBS_MODULE_INVALID')
    expect(error.message).toContain('set-up is forbidden today')
    await rejectionOf(engines.open({ setup: engines.pathOf('missing.ts') }), 'JOBS_MODULE_INVALID')
    await expectFree()
  } finally {
    delete process.env.SCRIPTED_SET_UP_FORBIDDEN
  }
})

test('a database that is locked, and that not the code but a variable names, is refused with that', async () => {
  await engines.open()
  vi.stubEnv('SEMANTICA_DATABASE', engines.pathOf('tasks.db'))
  try {
    const error = await rejectionOf(engines.open({ database: engines.pathOf('mine.db') }), 'DATABASE_LOCKED')
    expect(error.message).toMatch(/use another database\. SEMANTICA_DATABASE names this one\.$/)
    expect(error).toMatchObject({ details: { source: 'SEMANTICA_DATABASE', holder: { pid: process.pid } } })
  } finally {
    vi.unstubAllEnvs()
  }
  const plain = await rejectionOf(engines.open(), 'DATABASE_LOCKED')
  expect(plain.message).toMatch(/use another database\.$/)
})

test('new threads that never become ready end the engine, and not the machine', async () => {
  process.env.SCRIPTED_SET_UP_FORBIDDEN = engines.pathOf('forbidden')
  try {
    const engine = await engines.open({ setup, threads: 1 })
    const failed = new Promise<{ error: { message: string } }>((resolve) =>
      engine.events.once('engine-failed', resolve),
    )
    writeFileSync(engines.pathOf('forbidden'), '')
    const job = await engine.enqueue('EXIT', { times: 1 })
    const result = rejectionOf(job.result(), 'ENGINE_FAILED')
    expect((await failed).error.message).toContain('set-up is forbidden today')
    await result
    await rejectionOf(engine.enqueue('OK'), 'ENGINE_FAILED')
    await engine.stop()
    rmSync(engines.pathOf('forbidden'))
    // Nothing acknowledged is lost.
    const next = await engines.open({ setup })
    await next.idle()
    expect(await next.get(job.id)).toMatchObject({ state: 'DONE', result: 'alive' })
  } finally {
    delete process.env.SCRIPTED_SET_UP_FORBIDDEN
  }
})

test('a start that fails when its threads are up leaves neither them nor the port behind', async () => {
  const getMeter = () => {
    throw new Error('no meter today')
  }
  metrics.setGlobalMeterProvider({ getMeter })
  const jobsAndActor = {
    actors: { counter: { module: counter, options: { logPath: engines.pathOf('log') } } },
    metrics: { port: 0 },
  }
  try {
    await expect(engines.open(jobsAndActor)).rejects.toThrow('no meter today')
  } finally {
    metrics.disable()
  }
  const engine = await engines.open(jobsAndActor)
  expect(await (await engine.enqueue('OK', 'free')).result()).toBe('free')
})

test('an actor that does not start refuses the start', async () => {
  for (const [atStart, code] of [
    ['throw', 'START_FAILED'],
    ['throw-coded', 'DISK_FULL'],
    ['exit', 'START_FAILED'],
  ] as const) {
    await rejectionOf(engines.open({ actors: { counter: { module: counter, options: { atStart } } } }), code)
  }
  await expectFree()
})

test('a database that cannot be is refused, and left as it is', async () => {
  mkdirSync(engines.pathOf('folder.db'))
  writeFileSync(engines.pathOf('text.db'), 'This is a text, and has been one for long.\n'.repeat(200))
  const foreign = new Connection(engines.pathOf('foreign.db'))
  foreign.exec('CREATE TABLE of_others (id INTEGER)')
  foreign.close()
  const cases: [string, ErrorCode][] = [
    ['no/such/tasks.db', 'PATH_INVALID'],
    ['folder.db', 'PATH_INVALID'],
    ['text.db', 'DATABASE_FOREIGN'],
    ['foreign.db', 'DATABASE_FOREIGN'],
  ]
  const logPath = engines.pathOf('actor-log')
  // It starts while the database opens, and is stopped again.
  const actors = { counter: { module: counter, options: { logPath } } }
  for (const [name, code] of cases) {
    const error = await rejectionOf(engines.open({ database: engines.pathOf(name), actors }), code)
    expect(error.message).toContain(name.replace('/tasks.db', ''))
  }
  const lines = existsSync(logPath) ? readFileSync(logPath, 'utf8').split('\n') : []
  expect(lines.filter((line) => line === 'stop')).toHaveLength(
    lines.filter((line) => line === 'start').length,
  )
  await expectFree()
})

test('the entry of pool threads cannot be required', () => {
  // Node 24 aborts the process when a thread is ended in the last moment of requiring an ES module, and Piscina tries
  // that first. What awaits is refused before.
  const require = createRequire(import.meta.url)
  expect(() => require('../../workers/pool-thread.ts')).toThrow(
    expect.objectContaining({ code: 'ERR_REQUIRE_ASYNC_MODULE' }),
  )
})

test('a variable that looks like an option and is none is a line of the log, once in a process', async () => {
  const lines: string[] = []
  const options = { logLevel: 'warn', logTo: (text: string) => lines.push(text) } as const
  process.env.SEMANTICA_THREDS = '4'
  try {
    await (await engines.open({ logLevel: 'error', logTo: options.logTo })).stop()
    await (await engines.open(options)).stop()
    await (await engines.open(options)).stop()
  } finally {
    delete process.env.SEMANTICA_THREDS
  }
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
    expect.objectContaining({
      level: 'WARN',
      target: 'semantica.engine',
      fields: { variables: [{ name: 'SEMANTICA_THREDS', meant: 'SEMANTICA_THREADS' }] },
      message: 'Variables are set that are none of this version',
    }),
  ])
})

test('options are refused by name', async () => {
  const database = engines.pathOf('tasks.db')
  for (const options of [
    { database: '' },
    { database: ':memory:' },
    { database: 'file:tasks.db?mode=memory' },
    { database, actors: { '': { module: {} } } },
    { database, actors: 5 },
    { database, actors: null },
    { database, threads: 0 },
    { database, threads: 1.5 },
    { database, stopGraceMs: -1 },
    { database, durability: 'total' },
    { database, logLevel: 'loud' },
    { database, thread: 2 },
    { database, setup: 5 },
    { database, subprocess: null },
    { database, subprocess: { concurrency: 0 } },
    { database, subprocess: { outputBytes: 1 } },
    { database, subprocess: { allowedEnv: 'PATH' } },
    { database, subprocess: { serveBuiltIn: 1 } },
    { database, subprocess: { shell: true } },
    { database, actors: { subprocesses: { module: counter } } },
  ]) {
    // @ts-expect-error some of them are not even of the right type
    await rejectionOf(engines.open(options), 'OPTION_INVALID')
  }
  // @ts-expect-error not a jobs module
  await rejectionOf(Engine.start({ jobs: {}, database }), 'JOBS_MODULE_INVALID')
  await rejectionOf(Engine.start({ jobs: [throwsInThreads, noDefault], database }), 'JOBS_MODULE_INVALID')
  // @ts-expect-error not an actor module
  await rejectionOf(engines.open({ actors: { a: { module: {} } } }), 'JOBS_MODULE_INVALID')
})
