/** The files of jobs that are programs: their logs and results, and what programs put in their place. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'
import { openPrograms } from './open-programs.ts'

const engines = useEngines()
const logs = () => engines.pathOf('tasks.db-files/logs')

test('a program that says nothing leaves no log', async () => {
  const engine = await openPrograms(engines)
  const job = await engine.enqueue('SHELL', { args: ['true'] })
  await job.result()
  expect(existsSync(`${logs()}/${job.id}.out.log`)).toBe(false)
})

test('a log that cannot be written is reported once, and its job goes on', async () => {
  const engine = await openPrograms(engines)
  const failures: unknown[] = []
  engine.events.on('job-log-failed', (event) => failures.push(event))
  const first = await engine.enqueue('SHELL', { args: ['echo first'] })
  await first.result()
  // The folder is removed meanwhile, and made again.
  rmSync(logs(), { recursive: true })
  const second = await engine.enqueue('SHELL', { args: ['echo second'] })
  await second.result()
  expect(readFileSync(`${logs()}/${second.id}.out.log`, 'utf8')).toBe('second\n')
  expect(failures).toEqual([])
  // Something else is in its place.
  rmSync(logs(), { recursive: true })
  writeFileSync(logs(), 'in the way')
  // It fails in two outputs of two attempts.
  const script = 'echo more; echo words >&2; [ "$SEMANTICA_ATTEMPT" = 2 ] && echo \'{"a":1}\''
  const third = await engine.enqueue('SHELL', { args: [script] })
  expect(await third.result()).toMatchObject({ result: { a: 1 }, stderrTail: 'words\n' })
  await engine.idle()
  expect(failures).toMatchObject([
    { jobId: third.id, jobType: 'SHELL', error: { code: 'JOB_LOG_FAILED', details: { reason: 'EEXIST' } } },
  ])
  rmSync(logs())
})

test.each([
  ['a link', 'ln -s "$VICTIM"'],
  ['another name of a file', 'ln "$VICTIM"'],
  ['a pipe', 'mkfifo'],
])('%s in the place of a log is not written through', async (_what, put) => {
  const engine = await openPrograms(engines)
  const failures: unknown[] = []
  engine.events.on('job-log-failed', (event) => failures.push(event))
  const victim = engines.pathOf('victim')
  writeFileSync(victim, 'unharmed')
  mkdirSync(logs(), { recursive: true })
  const job = await engine.enqueue('SHELL', {
    args: [
      `if [ "$SEMANTICA_ATTEMPT" = 1 ]; then ${put} "$LOGS/$SEMANTICA_JOB_ID.out.log"; exit 1; fi; echo out`,
    ],
    env: { LOGS: logs(), VICTIM: victim },
  })
  expect(await job.result()).toMatchObject({ stdoutTail: 'out\n' })
  expect(readFileSync(victim, 'utf8')).toBe('unharmed')
  const message = expect.stringContaining(
    `The log of ${job.id} cannot be written: ${logs()}/${job.id}.out.log is `,
  )
  expect(failures).toMatchObject([{ jobId: job.id, error: { code: 'JOB_LOG_FAILED', message, details: {} } }])
})

test('through a link in the place of the folder no log is written, and no folder of results removed', async () => {
  const elsewhere = engines.pathOf('elsewhere')
  mkdirSync(`${elsewhere}/runs`, { recursive: true })
  writeFileSync(`${elsewhere}/runs/mine`, 'unharmed')
  symlinkSync(elsewhere, engines.pathOf('tasks.db-files'))
  const engine = await openPrograms(engines)
  const failed = new Promise((resolve) => engine.events.once('job-log-failed', resolve))
  const job = await engine.enqueue('SHELL', { args: ['echo out'] })
  expect(await job.result()).toMatchObject({ stdoutTail: 'out\n' })
  expect(await failed).toMatchObject({ jobId: job.id, error: { code: 'JOB_LOG_FAILED' } })
  await engine.stop()
  expect(readdirSync(elsewhere)).toEqual(['runs'])
  expect(readdirSync(`${elsewhere}/runs`)).toEqual(['mine'])
})

test.each([
  ['a link', 'ln -s "$VICTIM" "$SEMANTICA_RESULT_FILE"', 'is a link'],
  ['another name of a file', 'ln "$VICTIM" "$SEMANTICA_RESULT_FILE"', 'is a file with other names'],
  ['a pipe', 'mkfifo "$SEMANTICA_RESULT_FILE"', 'is not a file'],
  ['a folder', 'mkdir "$SEMANTICA_RESULT_FILE"', 'is not a file'],
  [
    'a link in the place of its folder',
    'cd "$(dirname "$SEMANTICA_RESULT_FILE")" && rmdir "$PWD" && ln -s "$OTHER" "$PWD"',
    'is a link',
  ],
])('%s is no result', async (_what, script, found) => {
  const engine = await openPrograms(engines)
  const other = engines.pathOf('other')
  mkdirSync(other)
  writeFileSync(`${other}/result.json`, '"stolen"')
  const job = await engine.enqueue('SHELL', {
    args: [script],
    env: { VICTIM: `${other}/result.json`, OTHER: other },
  })
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(error.cause).toMatchObject({ code: 'SUBPROCESS_FAILED' })
  expect(error.message).toContain(found)
  expect(readFileSync(`${other}/result.json`, 'utf8')).toBe('"stolen"')
})

test('an exit code says more than a result that cannot be read', async () => {
  const engine = await openPrograms(engines)
  const job = await engine.enqueue('SHELL', { args: ['mkdir "$SEMANTICA_RESULT_FILE"; exit 3'] })
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(error.cause).toMatchObject({ details: { exitCode: 3 } })
})
