/** The log of an engine in this process, by way of `logTo`, and what becomes of one that cannot be written. */
import { closeSync, existsSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/config.ts'
import { Engine } from '../../src/engine/engine.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import { rejectionOf, useEngines } from '../engine/open-engine.ts'
import basic from '../fixtures/jobs/basic.ts'
import { type LogLine, parseLog, runHost } from './logging-process.ts'

const engines = useEngines()

/** What is logged, as it comes. */
function gather() {
  let text = ''
  return {
    logTo: (lines: string) => {
      text += lines
    },
    get text() {
      return text
    },
    get lines(): LogLine[] {
      return parseLog(text)
    },
  }
}

/** Whether an engine has opened its log by when it has started, and nothing has been logged. */
async function opensAtStart(logging: Pick<EngineOptions, 'logLevel' | 'logTransitions'>): Promise<boolean> {
  const { cache, resolve } = createRequire(import.meta.url)
  const path = resolve('pino')
  delete cache[path]
  const engine = await engines.open({ logTo: () => {}, ...logging })
  const isOpen = cache[path] !== undefined
  await engine.stop()
  return isOpen
}

const stateOf = ({ level, fields }: LogLine) => [level, fields.from_state, fields.state]

describe('transitions', () => {
  test('all of a job, with how long it took', async () => {
    const log = gather()
    const engine = await engines.open({ logTo: log.logTo, logLevel: 'info', logTransitions: 'all' })
    const job = await engine.enqueue('OK')
    await job.result()
    await engine.stop()
    expect(log.lines.map(stateOf)).toEqual([
      ['INFO', undefined, 'RUNNING'],
      ['INFO', 'RUNNING', 'DONE'],
    ])
    expect(log.lines[1]).toEqual({
      timestamp: expect.any(String),
      level: 'INFO',
      trace_id: '',
      target: 'semantica.supervisor',
      fields: {
        job_id: job.id,
        job_type: 'OK',
        queue: 'default',
        from_state: 'RUNNING',
        state: 'DONE',
        attempt: 1,
        duration_ms: expect.any(Number),
      },
      message: 'Job state transition',
    })
  })

  test('all of them are sure to come: the log is open before the first job, and else with its first line', async () => {
    expect(await opensAtStart({ logLevel: 'info', logTransitions: 'all' })).toBe(true)
    expect(await opensAtStart({ logLevel: 'info', logTransitions: 'failures' })).toBe(false)
  })

  test('thousands at once: a line for each job and state, none torn', async () => {
    const log = gather()
    const engine = await engines.open({ logTo: log.logTo, logLevel: 'info', logTransitions: 'all' })
    const jobs = await engine.enqueueMany(Array.from({ length: 5_000 }, () => ({ type: 'OK' }) as const))
    await engine.idle()
    await engine.stop()
    const done = log.lines.filter(({ fields }) => fields.state === 'DONE').map(({ fields }) => fields.job_id)
    expect(new Set(done)).toEqual(new Set(jobs.map(({ id }) => id)))
    expect(done).toHaveLength(jobs.length)
    const begun = log.lines.filter(({ fields }) => fields.state === 'RUNNING')
    expect(begun).toHaveLength(jobs.length)
  })

  test.each([
    { logLevel: 'info', logTransitions: 'failures' },
    { logLevel: 'warn', logTransitions: 'all' },
  ] as const)('%j: none of a job that succeeds', async (logging) => {
    const log = gather()
    const engine = await engines.open({ logTo: log.logTo, ...logging })
    await (await engine.enqueue('OK')).result()
    await engine.stop()
    expect(log.text).toBe('')
  })

  test('one that runs out of time is a warning, and its attempt is not counted', async () => {
    const log = gather()
    const engine = await engines.open({ logTo: log.logTo, logLevel: 'warn' })
    const job = await engine.enqueue('OK', undefined, { deadline: 1 })
    await rejectionOf(job.result(), 'JOB_SKIPPED')
    await engine.stop()
    expect(log.lines.map(stateOf)).toEqual([['WARN', 'RUNNING', 'SKIPPED_DEADLINE']])
    expect(log.lines[0]?.fields).toMatchObject({ job_id: job.id, attempt: 0 })
  })
})

describe('refused requests', () => {
  test('of a flood the first ones, and how many more there were', async () => {
    const log = gather()
    const engine = await engines.open({ logTo: log.logTo, logLevel: 'warn', maxPendingJobs: 1 })
    const asked = limits.refusalLinesPerSecond + 900
    const answers = await Promise.allSettled(Array.from({ length: asked }, () => engine.enqueue('OK')))
    await engine.stop()
    const refused = answers.filter(({ status }) => status === 'rejected').length
    expect(refused).toBe(asked - 1)
    const lines = log.lines.filter(({ message }) => message === 'Request refused')
    expect(lines.length).toBeLessThan(asked)
    expect(lines.reduce((sum, { fields }) => sum + Number(fields.requests), 0)).toBe(refused)
    expect(new Set(lines.map(({ fields }) => `${fields.request} ${fields.code}`))).toEqual(
      new Set(['enqueue OVERLOADED']),
    )
  })

  test('as an event, which says what was refused', async () => {
    const engine = await engines.open()
    const events: unknown[] = []
    engine.events.on('request-refused', (event) => events.push(event))
    await rejectionOf(engine.retry('job_bogus'), 'JOB_ID_INVALID')
    expect(events).toEqual([
      {
        request: 'retry',
        code: 'JOB_ID_INVALID',
        message: expect.stringContaining('"job_bogus" is not a job id'),
        requests: 1,
        jobType: undefined,
        jobId: 'job_bogus',
      },
    ])
  })

  test('whatever was asked', async () => {
    const log = gather()
    const engine = await engines.open({ logTo: log.logTo, logLevel: 'warn' })
    await rejectionOf(engine.backup(''), 'PATH_INVALID')
    await rejectionOf(engine.stop({ graceMs: -1 }), 'OPTION_INVALID')
    expect(() => engine.actor('nobody')).toThrow('There is no actor "nobody"')
    expect(log.lines.map(({ fields }) => [fields.request, fields.code])).toEqual([
      ['backup', 'PATH_INVALID'],
      ['stop', 'OPTION_INVALID'],
      ['actor', 'ACTOR_UNKNOWN'],
    ])
  })

  test('after the end of the engine', async () => {
    const log = gather()
    const engine = await engines.open({ logTo: log.logTo, logLevel: 'warn' })
    await engine.stop()
    await rejectionOf(engine.enqueue('OK'), 'ENGINE_STOPPED')
    expect(log.lines.map(({ fields }) => fields.code)).toEqual(['ENGINE_STOPPED'])
  })
})

describe('where it goes', () => {
  test('pretty, when asked for', async () => {
    const log = gather()
    const engine = await engines.open({ logTo: log.logTo, logLevel: 'warn', logFormat: 'pretty' })
    await rejectionOf(engine.get('job_bogus'), 'JOB_ID_INVALID')
    expect(log.text).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}semantica\.engine Request refused job_id=job_bogus request=get code=JOB_ID_INVALID message=".*" requests=1\n$/,
    )
  })

  test('a function that throws harms nobody', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    const engine = await engines.open({
      logLevel: 'warn',
      logTo: () => {
        throw new Error('no log today')
      },
    })
    await rejectionOf(engine.get('job_bogus'), 'JOB_ID_INVALID')
    expect((await warned).message).toBe('logTo threw: no log today')
    expect(await (await engine.enqueue('OK', 7)).result()).toBe(7)
  })

  test.skipIf(!existsSync('/dev/full')).each(['a full disk', 'a pipe that nobody reads'] as const)(
    'stderr is %s: the program goes on',
    async (what) => {
      const full = openSync('/dev/full', 'w')
      try {
        const environment = { SEMANTICA_LOG_FORMAT: 'json' }
        const stderr = what === 'a full disk' ? full : 'closed pipe'
        const run = await runHost('refusals', engines.pathOf('other.db'), environment, stderr)
        expect(run).toMatchObject({ status: 0, signal: null, hasStopped: true })
      } finally {
        closeSync(full)
      }
    },
  )

  test('the form is chosen by the environment, the colours only for a terminal', async () => {
    const environment = { SEMANTICA_LOG_FORMAT: 'pretty' }
    const run = await runHost('refusals', engines.pathOf('other.db'), environment)
    expect(run.stderr).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}semantica\.engine Request refused /)
    expect(run.stderr).not.toContain('\u001b')
  })

  test.each([
    [{ logTo: 'stderr' }, 'logTo is "stderr". Allowed: a function. Correct it.'],
    [{ logFormat: 'xml' }, 'logFormat is "xml". Allowed: json, pretty. Correct it.'],
    [{ logTransitions: 'some' }, 'logTransitions is "some". Allowed: all, failures. Correct it.'],
  ])('%j is refused', async (options, message) => {
    // The boundary: what a program without types may pass.
    const wrong = { jobs: basic, database: engines.pathOf('tasks.db'), ...options } as {
      jobs: typeof basic
      database: string
    }
    expect((await rejectionOf(Engine.start(wrong), 'OPTION_INVALID')).message).toBe(message)
  })
})

test('values that the environment of the host adds to that of programs are left out, but for the usual ones', async () => {
  process.env.SECRET_OF_HOST = 'only-for-"hosts"'
  const log = gather()
  try {
    const engine = engines.keep(
      await Engine.start({
        jobs: basic,
        database: engines.pathOf('tasks.db'),
        threads: 1,
        logTo: log.logTo,
        subprocess: { allowedEnv: ['PATH', 'SECRET_*'] },
      }),
    )
    const args = ['-c', 'echo "$SECRET_OF_HOST in $PATH" >&2; exit 3']
    const job = await engine.enqueue(
      'SUBPROCESS',
      { command: '/bin/sh', args },
      { retry: { maxAttempts: 1 } },
    )
    await rejectionOf(job.result(), 'JOB_FAILED')
    await engine.stop()
  } finally {
    delete process.env.SECRET_OF_HOST
  }
  expect(log.text).toContain(`its last words: [REDACTED] in ${process.env.PATH}.`)
  expect(log.text).not.toContain('only-for')
})
