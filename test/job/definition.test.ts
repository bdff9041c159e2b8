import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type AnyJobDefinition, defineJobs, isJobsModule } from '../../src/job/definition.ts'

const url = import.meta.url
const run = () => 1

test('a module keeps what it was given, and cannot be changed afterwards', () => {
  const definitions = { A: { run }, 'INDEX FILE/ä': { run, overlap: 1_000, timeoutMs: 1 } }
  const module = defineJobs(url, definitions)
  expect(module).toMatchObject({ url, definitions })
  expect(isJobsModule(module)).toBe(true)
  expect(Object.isFrozen(module) && Object.isFrozen(module.definitions)).toBe(true)
})

test('a job type may have any name', () => {
  const definitions = Object.fromEntries([['__proto__', { run }]])
  expect(Object.entries(defineJobs(url, definitions).definitions)).toEqual([['__proto__', { run }]])
})

test('a module of another copy of this package is recognised, other things are not', () => {
  expect(isJobsModule({ [Symbol.for('semantica-task-engine.jobs')]: true, url, definitions: {} })).toBe(true)
  expect([undefined, null, {}, { url, definitions: {} }, 'a', run].some(isJobsModule)).toBe(false)
})

test.each([
  ['an object', z.object({ path: z.string() })],
  [
    'a function, as some libraries make them',
    Object.assign(() => 1, { '~standard': { validate: () => ({ value: 1 }) } }),
  ],
])('a validator may be %s', (_what, payload) => {
  expect(() => defineJobs(url, { A: { payload, run } } as never)).not.toThrow()
})

test('a job type that is a program needs no handler, and gets a validator', async () => {
  const { definitions } = defineJobs(url, {
    A: { execution: 'subprocess', program: { command: 'a', args: ['b'], env: { C: 'd' } } },
  })
  // The boundary where threads look at it.
  const [definition] = Object.values(definitions) as unknown as AnyJobDefinition[]
  expect(definition).toMatchObject({ overlap: 1_000 })
  expect(definition?.payload['~standard'].validate({ args: ['e'], env: { F: 'g' } })).toEqual({
    value: { command: 'a', args: ['b', 'e'], env: { C: 'd', F: 'g' } },
  })
})

test('what is wrong with a program is told alone, without the rest of the program', () => {
  for (const [program, message] of [
    ['ls', 'A.program is a text. Allowed: an object. Correct it.'],
    [
      { command: 'ls', args: '-l', env: { KEY: 'secret' } },
      'A.program.args is "-l". Allowed: an array of texts without NUL. Correct it.',
    ],
    [
      { command: 'ls', shell: true },
      'A.program.shell is not a field of a program. Allowed: command, args, env, cwd. Correct it.',
    ],
    [
      { command: 'ls', env: { IFS: 'x' } },
      'A.program.env.IFS is a variable of the shell that starts the program. Allowed: other names. Correct it.',
    ],
    [
      { command: 'ls', stdin: '' },
      'A.program.stdin is not a field of a program. Allowed: command, args, env, cwd. Correct it.',
    ],
  ])
    expect(() => defineJobs(url, { A: { execution: 'subprocess', program } } as never)).toThrow(message)
})

describe('refused, naming the place', () => {
  test.each<[option: string, url: unknown, definitions: unknown]>([
    ['the url of defineJobs', undefined, {}],
    ['the url of defineJobs', './jobs.ts', {}],
    ['the url of defineJobs', 'https://example.com/jobs.js', {}],
    ['the job types of defineJobs', url, undefined],
    ['the job types of defineJobs', url, null],
    ['job type', url, { '': { run } }],
    ['job type', url, { ' A': { run } }],
    ['job type', url, { 'A\0': { run } }],
    ['job type', url, { 'half \ud83d': { run } }],
    ['job type', url, { ['x'.repeat(129)]: { run } }],
    ['A.run', url, { A: {} }],
    ['A.run', url, { A: null }],
    ['A.run', url, { A: run }],
    ['A.timeoutMS', url, { A: { run, timeoutMS: 5 } }],
    ['A.payload', url, { A: { run, payload: null } }],
    ['A.payload', url, { A: { run, payload: { path: 'string' } } }],
    ['A.timeoutMs', url, { A: { run, timeoutMs: 0 } }],
    ['A.timeoutMs', url, { A: { run, timeoutMs: '5s' } }],
    ['A.overlap', url, { A: { run, overlap: 0 } }],
    ['A.overlap', url, { A: { run, overlap: 1_001 } }],
    ['A.overlap', url, { A: { run, overlap: 1.5 } }],
    ['A.execution', url, { A: { run, execution: 'thread' } }],
    ['A.run', url, { A: { run, execution: 'subprocess' } }],
    ['A.overlap', url, { A: { execution: 'subprocess', overlap: 2 } }],
    ['A.graceMs', url, { A: { execution: 'subprocess', graceMs: -1 } }],
    ['A.program', url, { A: { execution: 'subprocess', program: 'ls' } }],
    ['A.program.command', url, { A: { execution: 'subprocess', program: {} } }],
    ['A.program.args', url, { A: { execution: 'subprocess', program: { command: 'ls', args: '-l' } } }],
    ['A.program.stdin', url, { A: { execution: 'subprocess', program: { command: 'ls', stdin: '' } } }],
    ['A.retry', url, { A: { run, retry: 5 } }],
    ['A.retry.maxAttempts', url, { A: { run, retry: { maxAttempts: 1_001 } } }],
    ['A.retry.times', url, { A: { run, retry: { times: 1 } } }],
  ])('%s (%#)', (option, givenUrl, definitions) => {
    const define = () => defineJobs(givenUrl as never, definitions as never)
    expect(define).toThrow(expect.objectContaining({ code: 'OPTION_INVALID', details: { option } }))
  })
})

test('a field that a retry policy has not is told as one', () => {
  expect(() => defineJobs(url, { A: { run, retry: { attempts: 3 } } } as never)).toThrow(
    /^A\.retry\.attempts is not a field of a retry policy\. Allowed: maxAttempts, .*\. Correct it\.$/,
  )
})
