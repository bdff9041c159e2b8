import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'
import { openLeaving, readLines } from './open-leaving.ts'

const engines = useEngines()
const logs = (name = '') => join(engines.pathOf('tasks.db-files'), 'logs', name)

test('each line has its time, level, attempt, message and fields', async () => {
  const engine = await openLeaving(engines)
  const before = new Date().toISOString()
  const job = await engine.enqueue('LEVELS')
  await job.result()
  const lines = await readLines(engine, job.id)
  expect(lines).toEqual([
    { time: expect.any(String), level: 'debug', attempt: 1, message: 'a', fields: { n: 1 } },
    { time: expect.any(String), level: 'info', attempt: 1, message: 'b' },
    {
      time: expect.any(String),
      level: 'warn',
      attempt: 1,
      message: 'c',
      fields: { big: '1', self: [expect.objectContaining({ name: 'TypeError', message: 'inside' })] },
    },
    {
      time: expect.any(String),
      level: 'error',
      attempt: 1,
      message: 'd',
      fields: { cycle: { unreadable: expect.stringContaining('circular') } },
    },
  ])
  for (const { time } of lines) expect(time >= before && time <= new Date().toISOString()).toBe(true)
})

test('a job that leaves nothing behind has no log, and makes no folder', async () => {
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('PLAIN', 1)
  await job.result()
  expect(await engine.readLog(job.id)).toBeUndefined()
  expect(existsSync(engines.pathOf('tasks.db-files'))).toBe(false)
  await rejectionOf(engine.readLog('../../etc/passwd'), 'JOB_ID_INVALID')
})

test('all attempts write to one log, which is there after a new start', async () => {
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('CALLS', { calls: [{ call: 'log', values: ['here'] }], failures: 1 })
  await job.result()
  await engine.stop()
  const next = await openLeaving(engines)
  const lines = await readLines(next, job.id)
  expect(lines.map(({ attempt, message }) => [attempt, message])).toEqual([
    [1, 'here'],
    [2, 'here'],
  ])
})

test.skipIf(process.platform !== 'linux')(
  'no log is left open when its attempt has ended (looks at /proc)',
  async () => {
    const engine = await openLeaving(engines)
    const { stage } = engines
    const openLogs = () =>
      readdirSync('/proc/self/fd').flatMap((descriptor) => {
        try {
          const path = readlinkSync(`/proc/self/fd/${descriptor}`)
          return path.endsWith('.log') ? [path] : []
        } catch {
          // The descriptor that read the folder is closed by now.
          return []
        }
      })
    const calls = [1, 2, 3].map((n) => ({ call: 'log', values: [`line ${n}`] }))
    const job = await engine.enqueue('CALLS_AND_WAITS', { calls, gate: 'g' })
    await stage.waits('g')
    expect(openLogs()).toEqual([expect.stringContaining(job.id)])
    stage.open('g')
    await job.result()
    await (await engine.enqueue('KEEPS')).result()
    await (await engine.enqueue('USES_KEPT', { calls: [] })).result()
    expect(openLogs()).toEqual([])
  },
)

test('a full log goes on in a new file, and its newest lines are kept', async () => {
  const maxBytes = 10_000
  const engine = await openLeaving(engines, { jobLogBytes: maxBytes })
  const job = await engine.enqueue('LOGS_MANY', { lines: 1_000 })
  await job.result()
  expect(readdirSync(logs()).sort()).toEqual([`${job.id}.log`, `${job.id}.log.1`])
  const sizes = readdirSync(logs()).map((name) => statSync(logs(name)).size)
  for (const size of sizes) expect(size).toBeLessThanOrEqual(maxBytes)
  const numbers = (await readLines(engine, job.id)).map(({ fields }) => Number(fields?.line))
  expect(numbers.length).toBeGreaterThan(100)
  expect(numbers).toEqual(Array.from(numbers, (_, place) => 1_000 - numbers.length + place))
})

test('a line that no log could hold is cut', async () => {
  const engine = await openLeaving(engines, { jobLogBytes: 4_096 })
  const job = await engine.enqueue('LOGS_MANY', { lines: 2, text: '\0'.repeat(10_000) })
  await job.result()
  for (const line of await readLines(engine, job.id)) {
    expect(line).toMatchObject({ isCut: true, message: expect.stringMatching(/^\0{500,}$/) })
  }
  for (const name of readdirSync(logs())) expect(statSync(logs(name)).size).toBeLessThanOrEqual(4_096)
})

test('a field that cannot be kept takes no other with it', async () => {
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('LOGS_FIELDS')
  await job.result()
  const unreadable = { unreadable: expect.any(String) }
  const lines = await readLines(engine, job.id)
  expect(lines).toMatchObject([
    { message: 'a', fields: { good: 1, cycle: unreadable, keep: { name: 'TypeError', message: 'me' } } },
    { message: 'b', fields: { good: 1, cycle: unreadable, thrown: unreadable } },
    { message: 'c', isCut: true, fields: { good: 1, big: { isCut: true }, keep: 'me' } },
    { message: 'd'.repeat(20_000), fields: { good: 1, cycle: unreadable } },
  ])
  expect(lines.map((line) => 'isCut' in line)).toEqual([false, false, true, false])
})

test('a flood of lines holds up nobody else, and can be read meanwhile', async () => {
  const engine = await openLeaving(engines, { threads: 2, jobLogBytes: 200_000 })
  const { stage } = engines
  const flood = await engine.enqueue('FLOODS')
  await stage.began(flood.id)
  for (let n = 0; n < 20; n++) {
    expect(await (await engine.enqueue('PLAIN', n)).result()).toBe(n)
    const lines = await readLines(engine, flood.id)
    const first = Number(lines[0]?.fields?.line)
    expect(lines.map(({ fields }) => fields?.line)).toEqual(Array.from(lines, (_, place) => first + place))
  }
  expect((await engine.get(flood.id))?.state).toBe('RUNNING')
  await engine.cancel(flood.id)
  await rejectionOf(flood.result(), 'JOB_CANCELLED')
})

test('console goes to the log of whose handler it is', async () => {
  const engine = await openLeaving(engines)
  const { stage } = engines
  const jobs = await Promise.all(['x', 'y'].map((gate) => engine.enqueue('CONSOLE', { gate })))
  await Promise.all([stage.waits('x'), stage.waits('y')])
  stage.open('y')
  stage.open('x')
  for (const [place, name] of ['x', 'y'].entries()) {
    const job = jobs[place]
    await job?.result()
    const lines = await readLines(engine, job?.id ?? '')
    expect(lines.map(({ level, message }) => [level, message])).toEqual([
      ['info', `it waits for { name: '${name}' }`],
      ['debug', `debug ${name}`],
      ['info', `info ${name}`],
      ['warn', `warn ${name}`],
      ['error', `error ${name}`],
      ['info', expect.stringContaining(`'${name}'`)],
    ])
  }
})

test('console finds its job also where handlers have returned at once so often that they are trusted to', async () => {
  const engine = await openLeaving(engines)
  const jobs = await engine.enqueueMany(
    Array.from({ length: 300 }, (_, n) => ({ type: 'SAYS', payload: `I am ${n}` }) as const),
  )
  await engine.idle()
  for (const n of [0, 255, 256, 299]) {
    const lines = await readLines(engine, jobs[n]?.id ?? '')
    expect(lines.map(({ message }) => message)).toEqual([`I am ${n}`])
  }
})

test('what is written after the end of a handler goes to its log, but its context is closed', async () => {
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('KEEPS')
  await job.result()
  const user = await engine.enqueue('USES_KEPT', { calls: [{ call: 'log', values: ['too late'] }] })
  expect(await user.result()).toEqual([
    { code: 'HANDLER_ENDED', message: expect.stringContaining(`${job.id} has ended`) },
  ])
  expect((await readLines(engine, job.id)).map(({ message }) => message)).toEqual(['late'])
  expect(await engine.readLog(user.id)).toBeUndefined()
})

test('a log that cannot be written is reported once for each job, which goes on', async () => {
  writeFileSync(engines.pathOf('tasks.db-files'), 'in the way')
  const engine = await openLeaving(engines)
  const failures: unknown[] = []
  engine.events.on('job-log-failed', (event) => failures.push(event))
  const calls = Array.from({ length: 5 }, () => ({ call: 'log', values: ['lost'] }))
  const jobs = await Promise.all([0, 1].map((times) => engine.enqueue('CALLS', { calls, failures: times })))
  for (const job of jobs) expect(await job.result()).toEqual([null, null, null, null, null])
  await engine.stats()
  expect(failures).toEqual(
    jobs.map(({ id }) => ({
      jobId: id,
      jobType: 'CALLS',
      error: expect.objectContaining({
        code: 'JOB_LOG_FAILED',
        message: expect.stringMatching(
          /^The log of \S+ cannot be written: (?:ENOTDIR|EEXIST).* Allowed: .*\/logs\. /,
        ),
        details: { reason: expect.stringMatching(/^(?:ENOTDIR|EEXIST)$/) },
      }),
    })),
  )
  expect(await engine.readLog(jobs[0]?.id ?? '')).toBeUndefined()
})

test('a link in the place of a log is not followed', async () => {
  const engine = await openLeaving(engines)
  const { stage } = engines
  const gate = await engine.enqueue('CALLS_AND_WAITS', { calls: [], gate: 'g' })
  await stage.waits('g')
  const job = await engine.enqueue('LEVELS')
  const failed = new Promise((resolve) => engine.events.once('job-log-failed', resolve))
  mkdirSync(logs(), { recursive: true })
  symlinkSync(engines.pathOf('tasks.db'), logs(`${job.id}.log`))
  stage.open('g')
  await job.result()
  expect(await failed).toMatchObject({ jobId: job.id, error: { details: { reason: 'ELOOP' } } })
  await rejectionOf(engine.readLog(job.id), 'PATH_INVALID')
  rmSync(logs(`${job.id}.log`))
  await gate.result()
})

test.each([
  'spin',
  'exit',
] as const)('what was logged stays when the thread ends by force: %s', async (ending) => {
  const engine = await openLeaving(engines)
  const { stage } = engines
  const job = await engine.enqueue('CALLS_AND_ENDS', { calls: [{ call: 'log', values: ['before'] }], ending })
  await stage.began(job.id)
  if (ending === 'spin') await engine.cancel(job.id)
  await job.result().catch(() => {})
  expect((await readLines(engine, job.id))[0]).toMatchObject({ attempt: 1, message: 'before' })
})
