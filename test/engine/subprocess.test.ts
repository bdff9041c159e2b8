/** Jobs that are programs: what they are given, and what comes out. Real processes; how they end is in subprocess-end.test.ts. */
import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { expect, test } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import programs from '../fixtures/jobs/programs.ts'
import { rejectionOf, useEngines } from './open-engine.ts'
import { openPrograms } from './open-programs.ts'
import { useVoices } from './program-voices.ts'

const engines = useEngines()
const voices = useVoices()

test('a result is the JSON of the result file, or else the last line, when that is a JSON object', async () => {
  const engine = await openPrograms(engines)
  for (const [script, result] of [
    ['echo hi; echo \'{"a":1}\'', { a: 1 }],
    ['printf "[2]" > "$SEMANTICA_RESULT_FILE"', [2]],
    ['printf 3 > "$SEMANTICA_RESULT_FILE"; echo "{}"', 3],
    ['echo 5', undefined],
    ['echo "{a"', undefined],
    ['echo "{}"; echo end', undefined],
  ] as const) {
    const ended = await (await engine.enqueue('SHELL', { args: [script] })).result()
    expect(ended).toMatchObject({ exitCode: 0, stderrTail: '' })
    expect(ended.result).toEqual(result)
  }
})

test('a last line that is cut fails the attempt where it was to be the result', async () => {
  const engine = await openPrograms(engines, { outputBytes: 10_000 })
  const long = 'head -c 20000 /dev/zero | tr "\\0" x'
  const tooLong = await engine.enqueue('SHELL', { args: [`printf ' {"a":"'; ${long}; echo '"}'; echo`] })
  const error = await rejectionOf(tooLong.result(), 'JOB_FAILED')
  expect(error.cause).toMatchObject({ code: 'RESULT_TOO_LARGE' })
  expect(error.message).toContain('outputBytes')
  for (const [script, result] of [
    [`printf '{'; ${long}`, undefined],
    [`printf 'a{'; ${long}; echo '}'`, undefined],
    [`printf '{'; ${long}; echo '}'; echo '{"b":1}'`, { b: 1 }],
    [`printf 2 > "$SEMANTICA_RESULT_FILE"; printf '{'; ${long}; echo '}'`, 2],
  ] as const) {
    const ended = await (await engine.enqueue('SHELL', { args: [script] })).result()
    expect(ended.result).toEqual(result)
  }
})

test('a program begins whose interpreter is found from its folder', async () => {
  const engine = await openPrograms(engines)
  symlinkSync('/bin/sh', engines.pathOf('shell'))
  writeFileSync(engines.pathOf('script'), '#!shell\necho {}\n', { mode: 0o755 })
  const job = await engine.enqueue('ANY', { command: './script', cwd: engines.folder })
  expect(await job.result()).toMatchObject({ result: {} })
})

test('a result file that holds no JSON fails the attempt', async () => {
  const engine = await openPrograms(engines)
  const job = await engine.enqueue('SHELL', { args: ['printf x > "$SEMANTICA_RESULT_FILE"'] })
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(error.cause).toMatchObject({ code: 'SUBPROCESS_FAILED' })
})

test('the payload adds to the program of its type', async () => {
  const engine = await openPrograms(engines)
  const script = `process.stdin.setEncoding('utf8').on('data', (text) => console.log(JSON.stringify({
    text, args: process.argv.slice(1), cwd: process.cwd(), env: [process.env.FROM_TYPE, process.env.BOTH],
    attempt: process.env.SEMANTICA_ATTEMPT, job: process.env.SEMANTICA_JOB_ID, run: process.env.SEMANTICA_RUN_ID,
  })))`
  const job = await engine.enqueue('NODE', {
    args: [script, 'a b', '$HOME', ''],
    env: { BOTH: 'job' },
    cwd: engines.folder,
    stdin: 'grüß dich',
  })
  const { result } = await job.result()
  expect(result).toMatchObject({
    text: 'grüß dich',
    args: ['a b', '$HOME', ''],
    cwd: engines.folder,
    env: ['type', 'job'],
    attempt: '1',
    job: job.id,
    run: expect.stringContaining(`${job.id}.1.`),
  })
})

test('a program that does not read its input is not waited for', async () => {
  const engine = await openPrograms(engines)
  const job = await engine.enqueue('SUBPROCESS', { command: 'true', stdin: 'x'.repeat(1_000_000) })
  expect(await job.result()).toEqual({ exitCode: 0, stdoutTail: '', stderrTail: '' })
})

test('an exit code other than 0 fails the attempt, with the end of its stderr', async () => {
  const engine = await openPrograms(engines)
  const job = await engine.enqueue('SHELL', { args: ['echo out; echo oops >&2; exit 3'] })
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(error.cause).toMatchObject({
    code: 'SUBPROCESS_FAILED',
    details: { exitCode: 3, signal: null, stderrTail: 'oops\n' },
  })
  expect(error.message).toContain('exit code 3; its last words: oops')
  const details = await engine.get(job.id)
  expect(details?.failedAttempts.map(({ cause }) => cause)).toEqual(['THREW', 'THREW'])
  // Both attempts are in the log.
  expect(readFileSync(logOf(job.id, 'err'), 'utf8')).toBe('oops\noops\n')
  expect(readFileSync(logOf(job.id, 'out'), 'utf8')).toBe('out\nout\n')
})

test('what is told of a long stderr does not begin in the middle of a value of the environment', async () => {
  const engine = await openPrograms(engines)
  const args = ['printf "%s%03990d" "$WORD" 0 >&2; exit 3']
  const job = await engine.enqueue('SHELL', { args, env: { WORD: 'hunter22-hunter22' } })
  const { cause } = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(cause).toMatchObject({ details: { stderrTail: '0'.repeat(3_990) } })
})

test('a program that ends by a signal fails the attempt', async () => {
  const engine = await openPrograms(engines)
  const job = await engine.enqueue('SHELL', { args: ['kill -9 $$'] })
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(error.cause).toMatchObject({ details: { exitCode: null, signal: 'SIGKILL' } })
})

test('what cannot be started ends its job at the first attempt', async () => {
  const engine = await openPrograms(engines)
  const { folder } = engines
  writeFileSync(engines.pathOf('text'), 'text')
  symlinkSync('loop', engines.pathOf('loop'))
  writeFileSync(engines.pathOf('orphan'), '#! /nowhere/interpreter -x\n', { mode: 0o755 })
  writeFileSync(engines.pathOf('from-windows'), '#!/bin/sh\r\necho\r\n', { mode: 0o755 })
  writeFileSync(engines.pathOf('of-text'), `#!text`, { mode: 0o755 })
  writeFileSync(engines.pathOf('junk'), '\x7fELF and nothing more', { mode: 0o755 })
  for (const [payload, text] of [
    [
      { command: engines.pathOf('orphan') },
      'needs the interpreter "/nowhere/interpreter", which does not exist',
    ],
    [{ command: 'orphan', env: { PATH: folder } }, 'needs the interpreter "/nowhere/interpreter"'],
    [{ command: './from-windows', cwd: folder }, 'needs the interpreter "/bin/sh\\r", which does not exist'],
    [{ command: './of-text', cwd: folder }, 'needs the interpreter "text", which may not be run'],
    [{ command: engines.pathOf('junk') }, 'junk: Exec format error'],
    [{ command: 'no-such-program' }, 'no-such-program does not exist'],
    [{ command: './no/such' }, 'does not exist'],
    [{ command: engines.pathOf('text') }, 'may not be run'],
    [{ command: folder }, `${folder} is a folder`],
    [{ command: '/dev/null' }, '/dev/null is not a file'],
    [{ command: 'true', env: { PATH: '/nowhere' } }, 'a name in /nowhere'],
    [{ command: 'true', cwd: engines.pathOf('none') }, 'none does not exist'],
    [{ command: 'true', cwd: engines.pathOf('text') }, 'is not a folder'],
    [{ command: 'true', cwd: engines.pathOf('loop/folder') }, 'loop/folder cannot be looked at (ELOOP'],
    [{ command: engines.pathOf('loop/program') }, 'loop/program cannot be looked at (ELOOP'],
    [{ command: 'true', env: { PATH: `/nowhere:${'x'.repeat(300)}` } }, 'cannot be looked at (ENAMETOOLONG'],
    [{ command: 'true', args: ['x'.repeat(3_000_000)] }, 'too long'],
    [{ command: 'true', args: ['x'.repeat(131_072)] }, '131,071 bytes each'],
  ] as const) {
    const job = await engine.enqueue('ANY', payload)
    const error = await rejectionOf(job.result(), 'JOB_FAILED')
    expect(error.cause).toMatchObject({ code: 'SUBPROCESS_INVALID' })
    expect(error.message).toContain(text)
    expect(await engine.get(job.id)).toMatchObject({ state: 'FAILED', attempt: 1 })
  }
})

test('a program that is being written is tried again', async () => {
  const engine = await openPrograms(engines)
  const command = engines.pathOf('half-written')
  copyFileSync('/bin/true', command)
  const written = openSync(command, 'a')
  try {
    const error = await rejectionOf((await engine.enqueue('ANY', { command })).result(), 'JOB_FAILED')
    expect(error.cause).toMatchObject({ code: 'SUBPROCESS_FAILED' })
    expect(error).toMatchObject({ message: expect.stringContaining('could not be started: Text file busy') })
  } finally {
    closeSync(written)
  }
  const [failed] = (await engine.list({ state: 'FAILED' })).jobs
  expect(failed).toMatchObject({ attempt: 3 })
})

test('a place in PATH that cannot be looked at keeps no program from being found behind it', async () => {
  const engine = await openPrograms(engines)
  symlinkSync('loop', engines.pathOf('loop'))
  const places = [engines.pathOf('loop/bin'), 'x'.repeat(300), '/nowhere', '/usr/bin', '/bin']
  const job = await engine.enqueue('ANY', { command: 'true', env: { PATH: places.join(':') } })
  expect(await job.result()).toMatchObject({ exitCode: 0 })
})

test('what is not a program is refused at enqueue, naming the place', async () => {
  const engine = await openPrograms(engines)
  for (const [type, payload, path] of [
    ['ANY', null, ''],
    ['ANY', [], ''],
    ['ANY', {}, 'command'],
    ['ANY', { command: '' }, 'command'],
    ['ANY', { command: 'a\0b' }, 'command'],
    ['ANY', { command: 'a', args: 'b' }, 'args'],
    ['ANY', { command: 'a', args: [1] }, 'args'],
    ['ANY', { command: 'a', env: ['A'] }, 'env'],
    ['ANY', { command: 'a', env: { 'A=B': 'c' } }, 'env.A=B'],
    ['ANY', { command: 'a', env: { 'A-B': 'c' } }, 'env.A-B'],
    ['ANY', { command: 'a', env: { '1A': 'c' } }, 'env.1A'],
    ['ANY', { command: 'a', env: { '': 'c' } }, 'env.'],
    ['ANY', { command: 'a', env: { IFS: 'c' } }, 'env.IFS'],
    ['ANY', { command: 'a', env: { _: 'c' } }, 'env._'],
    ['ANY', { command: 'a', env: { A: 5 } }, 'env.A'],
    ['ANY', { command: 'a', env: { A: 'b\0' } }, 'env.A'],
    ['ANY', { command: 'a', cwd: '' }, 'cwd'],
    ['ANY', { command: 'a', stdin: 5 }, 'stdin'],
    ['ANY', { command: 'a', shell: true }, 'shell'],
    ['SHELL', { command: 'a' }, 'command'],
  ] as const) {
    // @ts-expect-error none of them is of the right type
    const error = await rejectionOf(engine.enqueue(type, payload), 'PAYLOAD_INVALID')
    expect(error.details).toMatchObject({ issues: [{ path }] })
  }
})

test('a program gets what is allowed of the environment, and what its job gives', async () => {
  process.env.SECRET_OF_HOST = 'secret'
  process.env.LC_PROGRAM = 'allowed'
  try {
    const script = 'console.log(JSON.stringify(process.env))'
    const engine = await openPrograms(engines)
    const { result } = await (await engine.enqueue('NODE', { args: [script], env: { A: '1' } })).result()
    expect(result).toMatchObject({ LC_PROGRAM: 'allowed', PATH: process.env.PATH, A: '1' })
    expect(result).not.toHaveProperty('SECRET_OF_HOST')
    await engine.stop()
    const next = await openPrograms(engines, { allowedEnv: ['SECRET_*'] })
    const { result: other } = await (await next.enqueue('NODE', { args: [script] })).result()
    expect(other).toMatchObject({ SECRET_OF_HOST: 'secret' })
    expect(other).not.toHaveProperty('LC_PROGRAM')
    expect(other).not.toHaveProperty('PATH')
  } finally {
    delete process.env.SECRET_OF_HOST
    delete process.env.LC_PROGRAM
  }
})

test('a program gets each name that its job gives, and no other but the folder it runs in', async () => {
  const engine = await openPrograms(engines, { allowedEnv: ['PATH'] })
  const env = { a: '', _b: ' x ', C_1: 'line\nline', PS1: '$ ', PWD: '/nowhere', OLDPWD: '/' }
  const job = await engine.enqueue('NODE', {
    args: ['console.log(JSON.stringify(process.env))'],
    env,
    cwd: engines.folder,
  })
  const { result } = await job.result()
  const names = Object.keys(result as object).filter((name) => !name.startsWith('SEMANTICA_'))
  expect(names.sort()).toEqual([...Object.keys(env), 'PATH', 'FROM_TYPE', 'BOTH'].sort())
  expect(result).toMatchObject({ ...env, PWD: engines.folder })
})

test('of a flood of output the newest part is kept, and others go on meanwhile', async () => {
  const engine = await openPrograms(engines, { outputBytes: 100_000, concurrency: 2 })
  const script = 'yes abcdefghi | head -c 100000000; echo; echo \'{"end":true}\''
  const flood = await engine.enqueue('SHELL', { args: [script] })
  let isOver = false
  const over = flood.result().finally(() => {
    isOver = true
  })
  let others = 0
  for (; !isOver; others++) await (await engine.enqueue('PLAIN')).result()
  expect(others).toBeGreaterThan(10)
  const { result, stdoutTail } = await over
  expect(result).toEqual({ end: true })
  expect(stdoutTail.length).toBe(4_000)
  const path = logOf(flood.id, 'out')
  expect(statSync(path).size).toBeLessThanOrEqual(100_000)
  expect(statSync(path).size).toBeGreaterThanOrEqual(40_000)
  const text = readFileSync(path, 'utf8')
  expect(text.endsWith('abcdefghi\n\n{"end":true}\n')).toBe(true)
})

test('waiting for programs takes no thread from others, and no time limit from those that wait for their turn', async () => {
  const engine = await openPrograms(engines, { concurrency: 1 })
  const voice = voices.hear(engines.pathOf('voice'))
  const first = await engine.enqueue('SHELL', {
    args: ['echo up > "$VOICE"; read -r word < "$GATE"'],
    env: { VOICE: voice.path, GATE: voices.hear(engines.pathOf('gate')).path },
  })
  await voice.said('up')
  const behind = await engine.enqueueMany(
    Array.from({ length: 5 }, () => ({
      type: 'SHELL' as const,
      payload: { args: ['echo ran > "$VOICE"'], env: { VOICE: voice.path } },
      options: { timeoutMs: 2_000 },
    })),
  )
  // More than a time limit passes meanwhile: it is counted from when a program begins.
  const deadline = performance.now() + 2_200
  while (performance.now() < deadline) expect(await (await engine.enqueue('PLAIN')).result()).toBe('plain')
  expect(voice.lines).toEqual(['up'])
  await engine.cancel(first.id)
  await rejectionOf(first.result(), 'JOB_CANCELLED')
  for (const job of behind) expect(await job.result()).toMatchObject({ exitCode: 0 })
  expect((await engine.stats()).jobs).toMatchObject({ FAILED: 0 })
})

test.each([
  { serveBuiltIn: false },
  false,
] as const)('the built-in type can be left out: %j', async (subprocess) => {
  const engine = await Engine.start({
    jobs: programs,
    database: engines.pathOf('tasks.db'),
    threads: 1,
    logLevel: 'silent',
    subprocess,
  })
  engines.keep(engine)
  // @ts-expect-error it is not served
  await rejectionOf(engine.enqueue('SUBPROCESS', { command: 'true' }), 'JOB_TYPE_UNKNOWN')
  expect(await (await engine.enqueue('ANY', { command: 'true' })).result()).toMatchObject({ exitCode: 0 })
})

test('nobody but jobs that are programs reaches the actor that runs them', async () => {
  const engine = await openPrograms(engines)
  const unknown = { code: 'ACTOR_UNKNOWN', message: expect.stringContaining('Allowed: none') }
  expect(() => engine.actor('subprocesses')).toThrow(expect.objectContaining(unknown))
  for (const name of ['subprocesses', 'nobody']) {
    const job = await engine.enqueue('ASKS', name)
    expect((await rejectionOf(job.result(), 'JOB_FAILED')).cause).toMatchObject(unknown)
  }
})

test('an option of programs that is none is refused, and what is allowed is said', async () => {
  // @ts-expect-error what only JavaScript can pass
  const error = await rejectionOf(openPrograms(engines, 'on'), 'OPTION_INVALID')
  expect(error.message).toContain('subprocess is "on". Allowed: true, false, or an object of its options')
})

test('where there are no process groups the start is refused', async () => {
  const platform = Object.getOwnPropertyDescriptor(process, 'platform') ?? {}
  Object.defineProperty(process, 'platform', { ...platform, value: 'win32' })
  try {
    const error = await rejectionOf(openPrograms(engines), 'SUBPROCESS_INVALID')
    expect(error.message).toContain('cannot run on Windows')
  } finally {
    Object.defineProperty(process, 'platform', platform)
  }
})

function logOf(jobId: string, name: 'out' | 'err'): string {
  return engines.pathOf(`tasks.db-files/logs/${jobId}.${name}.log`)
}
