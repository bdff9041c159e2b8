/** Goal: stored jobs can be listed and looked at beside a running engine, and what is wrong is said in one line. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { fileURLToPath } from 'node:url'
import Connection from 'better-sqlite3'
import { expect, test } from 'vitest'
import { migrateUp, readMigrations } from '../../src/store/migrate.ts'
import { migrateDown } from '../../src/store/migrate-down.ts'
import { rejectionOf, useEngines } from '../engine/open-engine.ts'
import { openLeaving } from '../engine/open-leaving.ts'

const engines = useEngines()
const command = fileURLToPath(new URL('../../src/cli/semantica.ts', import.meta.url))

function semantica(...commandLine: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...commandLine], {
    cwd: engines.folder,
    encoding: 'utf8',
    // Long lists are a megabyte, at which what is not told ends the program.
    maxBuffer: 16_000_000,
  })
  return { status, stdout, stderr }
}

const idsOf = (stdout: string) => (JSON.parse(stdout) as { id: string }[]).map(({ id }) => id)

test('list finds jobs by each of its flags while the engine runs, newest first', async () => {
  const engine = await engines.open()
  const parent = await engine.enqueue(
    'CHILDREN',
    { children: [{ type: 'OK', payload: 'child' }] },
    { userTag: 'red', chainGroupId: 'g' },
  )
  await parent.result()
  await engine.idle()
  const [child] = (await engine.list({ parentJobId: parent.id })).jobs
  const failed = await engine.enqueue('THROW_CAUSED', {}, { queue: 'slow', userTag: 'blue' })
  await rejectionOf(failed.result(), 'JOB_FAILED')
  const list = (...flags: string[]) => {
    const { status, stdout, stderr } = semantica('list', '--json', '--database', 'tasks.db', ...flags)
    expect([status, stderr]).toEqual([0, ''])
    return idsOf(stdout)
  }
  expect(list()).toEqual([failed.id, child?.id, parent.id])
  expect(list('--tag', 'red')).toEqual([parent.id])
  expect(list('--group', 'g')).toEqual([parent.id])
  expect(list('--parent', parent.id)).toEqual([child?.id])
  expect(list('--state', 'failed')).toEqual([failed.id])
  expect(list('--queue', 'slow', '--type', 'THROW_CAUSED')).toEqual([failed.id])
  expect(list('--limit', '1')).toEqual([failed.id])
  const table = semantica('list', '--database', 'tasks.db')
  const [head, ...lines] = table.stdout.trimEnd().split('\n')
  expect(head?.split(/ +/)).toEqual(['ID', 'STATE', 'TYPE', 'QUEUE', 'CREATED', 'TAG', 'GROUP', 'PARENT'])
  expect(lines).toHaveLength(3)
  expect(lines[0]).toMatch(new RegExp(`^${failed.id} +FAILED +THROW_CAUSED +slow +\\S+Z +blue +- +-$`))
  const none = semantica('list', '--database', 'tasks.db', '--tag', 'nobody')
  expect(none).toEqual({ status: 1, stdout: '', stderr: 'semantica: no such job in tasks.db\n' })
  expect(semantica('list', '--database', 'tasks.db', '--tag', 'nobody', '--json')).toEqual({
    status: 1,
    stdout: '[]\n',
    stderr: '',
  })
  const shown = semantica('show', failed.id, '--database', 'tasks.db')
  expect(shown.status).toBe(0)
  expect(shown.stdout).toMatch(/^state +FAILED$/m)
  expect(shown.stdout).toMatch(
    /^attempt 1 +THREW: fetch failed \(cause: AggregateError: .+ \(errors: Error: connection refused\)\)$/m,
  )
})

test('more jobs than a page holds are listed up to the limit', async () => {
  const engine = await engines.open()
  await engine.enqueueMany(Array.from({ length: 2_500 }, () => ({ type: 'OK' }) as const))
  await engine.idle()
  const many = idsOf(semantica('list', '--json', '--database', 'tasks.db', '--limit', '2100').stdout)
  expect(new Set(many).size).toBe(2_100)
})

test('show tells what a job has left behind, and list its summary', async () => {
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('CALLS', {
    calls: [
      { call: 'artifact', values: ['a.txt', 'kept'] },
      { call: 'summarize', values: [{ symbols: 12 }] },
      { call: 'progress', values: [0.5, 'half'] },
      { call: 'log', values: ['here'] },
    ],
  })
  await job.result()
  await engine.stop()
  const log = `${realpathSync(engines.folder)}/tasks.db-files/logs/${job.id}`
  writeFileSync(`${log}.err.log`, 'oh\n')
  // Nobody has it open now.
  const shown = semantica('show', job.id, '--database', 'tasks.db')
  expect(shown).toMatchObject({ status: 0, stderr: '' })
  expect(shown.stdout).toMatch(/^result_summary +{"symbols":12}$/m)
  expect(shown.stdout).toMatch(/^progress +50 % half$/m)
  expect(shown.stdout).toMatch(/^artifact +\S+\/a\.txt \(4 bytes\)$/m)
  const bytes = statSync(`${log}.log`).size
  expect(shown.stdout.replaceAll(/ {2,}/g, ' ')).toContain(
    `log ${log}.log (${bytes} bytes)\nstderr ${log}.err.log (3 bytes)\n`,
  )
  expect(JSON.parse(semantica('show', job.id, '--json', '--database', 'tasks.db').stdout)).toMatchObject({
    id: job.id,
    job_type: 'CALLS',
    result_summary: { symbols: 12 },
    artifacts: [{ name: 'a.txt', bytes: 4, exists: true }],
    failed_attempts: [],
    user_tag: null,
    logs: [
      { kind: 'log', path: `${log}.log`, bytes },
      { kind: 'stderr', path: `${log}.err.log`, bytes: 3 },
    ],
    logs_error: null,
  })
  expect(semantica('list', '--database', 'tasks.db').stdout).toContain('{"symbols":12}')
})

test('show tells of a job, and why its logs cannot be looked at', async () => {
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('CALLS', { calls: [{ call: 'log', values: ['here'] }] })
  await job.result()
  await engine.stop()
  rmSync(engines.pathOf('tasks.db-files'), { recursive: true })
  // Whoever looks, root too.
  symlinkSync('tasks.db-files', engines.pathOf('tasks.db-files'))
  const shown = semantica('show', job.id, '--database', 'tasks.db')
  expect(shown).toMatchObject({ status: 0, stderr: '' })
  expect(shown.stdout).toMatch(/^state +DONE$/m)
  expect(shown.stdout).toMatch(/^logs +\S+\.log\S* cannot be read: ELOOP.*$/m)
  expect(JSON.parse(semantica('show', job.id, '--json', '--database', 'tasks.db').stdout)).toMatchObject({
    id: job.id,
    logs: [],
    logs_error: expect.stringContaining('ELOOP'),
  })
})

test('what is wrong is one clear message, with exit code 2', async () => {
  const engine = await engines.open()
  const job = await engine.enqueue('OK')
  await job.result()
  await engine.stop()
  const other = new Connection(engines.pathOf('other.db'))
  other.exec('CREATE TABLE t (a)')
  other.close()
  writeFileSync(engines.pathOf('text.db'), 'no database '.repeat(1_000))
  mkdirSync(engines.pathOf('empty'))
  const database = ['--database', 'tasks.db']
  for (const [commandLine, code, text] of [
    [['list'], 'PATH_INVALID', '.semantica'],
    [['list', '--database', 'none.db'], 'PATH_INVALID', 'does not exist'],
    [['list', '--database', 'empty'], 'PATH_INVALID', 'is a directory'],
    [['list', '--database', 'other.db'], 'DATABASE_FOREIGN', 'another program'],
    [['show', job.id, '--database', 'text.db'], 'DATABASE_FOREIGN', 'is not an SQLite database'],
    [['list', '--state', 'LOST', ...database], 'OPTION_INVALID', 'Allowed: QUEUED, SCHEDULED'],
    [['list', '--parent', 'nobody', ...database], 'JOB_ID_INVALID', 'is not a job id'],
    [['show', 'nobody', ...database], 'JOB_ID_INVALID', 'is not a job id'],
    [['show', job.id.replace(/1$/, '2'), ...database], 'JOB_UNKNOWN', 'pruned'],
  ] as const) {
    const { status, stdout, stderr } = semantica(...commandLine)
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^semantica: [^\n]*\n$/)
    expect(stderr).toContain(code)
    expect(stderr).toContain(text)
  }
  expect(semantica('list', '--limit', '0', ...database)).toMatchObject({ status: 2, stdout: '' })
  expect(existsSync(engines.pathOf('none.db'))).toBe(false)
})

test('a database that an older version has left is read, or refused with what to do', async () => {
  const engine = await engines.open()
  const job = await engine.enqueue('OK')
  await job.result()
  await engine.stop()
  const migrations = readMigrations()
  const database = new Connection(engines.pathOf('tasks.db'))
  // The last one that changes nothing of what is read.
  migrateDown(database, migrations, 9)
  expect(semantica('list', '--database', 'tasks.db').status).toBe(0)
  for (const [version, words] of [
    [8, ['list']],
    [0, ['show', job.id]],
  ] as const) {
    migrateDown(database, migrations, version)
    const needed = `${version}, and this version of the engine needs ${migrations.length}`
    expect(semantica(...words, '--database', 'tasks.db')).toEqual({
      status: 3,
      stdout: '',
      stderr: expect.stringMatching(
        `^semantica: .* schema version ${needed}\\. .*semantica migrate up.*\\(DATABASE_OLDER\\)\n$`,
      ),
    })
  }
  migrateUp(database, migrations)
  database.close()
})

test('backup copies the database beside a running engine, with its files if wanted', async () => {
  const engine = await openLeaving(engines)
  const { stage } = engines
  const calls = [{ call: 'artifact', values: ['a.txt', 'kept'] }]
  const job = await engine.enqueue('CALLS_AND_WAITS', { calls, gate: 'g' })
  await stage.waits('g')
  const done = semantica('backup', 'copy.db', '--files', '--database', 'tasks.db', '--json')
  expect(done).toMatchObject({ status: 0, stderr: '' })
  expect(JSON.parse(done.stdout)).toEqual({
    path: realpathSync(engines.pathOf('copy.db')),
    bytes: statSync(engines.pathOf('copy.db')).size,
    files: 1,
    files_bytes: 4,
    elapsed_ms: expect.any(Number),
  })
  expect(idsOf(semantica('list', '--json', '--database', 'copy.db', '--state', 'running').stdout)).toEqual([
    job.id,
  ])
  expect(readFileSync(engines.pathOf(`copy.db-files/artifacts/${job.id}/a.txt`), 'utf8')).toBe('kept')
  const again = semantica('backup', 'copy.db', '--database', 'tasks.db')
  expect(again).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringContaining('BACKUP_TARGET_EXISTS'),
  })
  const plain = semantica('backup', 'other.db', '--database', 'tasks.db')
  expect(plain.stdout).toMatch(/^\S+\/other\.db: \d+\.\d MB, \d+\.\d s\n$/)
  stage.open('g')
  await job.result()
})

test('looking changes nothing, and takes no lock', async () => {
  const engine = await engines.open()
  await (await engine.enqueue('OK')).result()
  await engine.stop()
  chmodSync(engines.pathOf('tasks.db'), 0o444)
  expect(semantica('list', '--database', 'tasks.db').status).toBe(0)
  chmodSync(engines.pathOf('tasks.db'), 0o644)
  expect(readdirSync(engines.folder).filter((name) => name.endsWith('.lock-journal'))).toEqual([])
})
