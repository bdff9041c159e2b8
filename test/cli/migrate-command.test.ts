/**
 * Goal: the schema of a database goes up and down as its owner wants, and nothing is lost on the way. Method: the real
 * command; for other versions of it a copy of the sources with other migrations.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Connection from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import { readMigrations } from '../../src/store/migrate.ts'
import basic from '../fixtures/jobs/basic.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const known = readMigrations().length
let folder = ''
let database = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrate-'))
  database = join(folder, 'tasks.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function commandLineOf(version: string, words: readonly string[]): string[] {
  return [join(version, 'src/cli/semantica.ts'), 'migrate', ...words]
}

const env = { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }

function migrate(words: readonly string[], version = root, variables: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, commandLineOf(version, words), {
    cwd: folder,
    encoding: 'utf8',
    env: { ...env, ...variables },
  })
  return { status, stdout, stderr }
}

/** Another version of the package: its sources, with migrations added to or taken from the newest. */
function otherVersion(name: string, added: Record<string, string>, left = known): string {
  const version = join(folder, name)
  for (const part of ['src', 'migrations', 'package.json'])
    cpSync(join(root, part), join(version, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(version, 'node_modules'))
  const files = readdirSync(join(version, 'migrations'))
  for (const file of files) if (Number(file.slice(0, 3)) > left) rmSync(join(version, 'migrations', file))
  for (const [index, [migration, up]] of Object.entries(added).entries()) {
    const file = `${String(left + index + 1).padStart(3, '0')}_${migration}`
    writeFileSync(join(version, 'migrations', `${file}.up.sql`), up)
    writeFileSync(join(version, 'migrations', `${file}.down.sql`), `DROP TABLE ${migration};\n`)
  }
  return version
}

async function makeJob(): Promise<string> {
  await using engine = await Engine.start({ jobs: basic, database, threads: 1, logLevel: 'silent' })
  const job = await engine.enqueue('NOOP', null, { userTag: 'nightly' })
  await job.result()
  return job.id
}

/** Everything that a database holds, as text. */
function contentOf(path: string): string {
  const opened = new Connection(path, { readonly: true })
  const schema = opened.prepare('SELECT name, sql FROM sqlite_schema ORDER BY name').all()
  const tables = opened
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .pluck()
    .all()
  const rows = tables.map((table) => [table, opened.prepare(`SELECT * FROM "${table}"`).all()])
  opened.close()
  return JSON.stringify([schema, rows])
}

function backups(): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.backup'))
}

test('down and up again, with a copy before each, and the jobs are still there', async () => {
  const id = await makeJob()
  const before = contentOf(database)
  const down = migrate(['down', '--force', '--database', database, '--json'])
  expect(down.status).toBe(0)
  const report = JSON.parse(down.stdout)
  expect(report).toMatchObject({ database, from: known, to: known - 1 })
  expect(contentOf(report.backup)).toBe(before)
  expect(down.stderr).toContain(report.backup)
  const status = JSON.parse(migrate(['status', '--database', database, '--json']).stdout)
  expect(status).toMatchObject({ database, version: known - 1, known })
  expect(status.migrations.at(-1)).toMatchObject({ version: known, state: 'pending', applied_at: null })
  expect(migrate(['status', '--database', database]).stdout).toMatch(/ +pending\n$/)

  const up = migrate(['up', '--no-backup', '--database', database])
  expect(up).toMatchObject({
    status: 0,
    stdout: `${database} went from schema version ${known - 1} to ${known}\n`,
  })
  expect(backups()).toHaveLength(1)
  expect(migrate(['up', '--database', database]).stdout).toBe(
    `${database} has schema version ${known} already\n`,
  )
  await using engine = await Engine.start({ jobs: basic, database, threads: 1 })
  expect(await engine.get(id)).toMatchObject({ state: 'DONE', userTag: 'nightly' })
})

test('data that would go is named and kept, unless forced', async () => {
  await makeJob()
  const before = contentOf(database)
  const refused = migrate(['down', '--to', '3', '--database', database])
  expect(refused.status).toBe(5)
  expect(refused.stderr).toMatch(/would drop .*jobs\.user_tag \(1 row\)/)
  expect(refused.stderr).toContain('Add --force where that may go; a backup is taken before.')
  const alone = migrate(['down', '--to', '3', '--no-backup', '--database', database])
  expect(alone.status).toBe(5)
  expect(alone.stderr).toContain(
    'Add --force where that may go for good: with --no-backup nothing is kept of it.',
  )
  expect(contentOf(database)).toBe(before)
  expect(backups()).toEqual([])
  expect(migrate(['down', '--to', '3', '--force', '--database', database]).status).toBe(0)
  expect(contentOf(join(folder, backups()[0] ?? ''))).toBe(before)
  expect(migrate(['down', '--to', '0', '--force', '--no-backup', '--database', database]).status).toBe(0)
  expect(migrate(['up', '--database', database]).status).toBe(0)
  await makeJob()
})

test('a database that is open is refused with the name of who has it, but its status is shown', async () => {
  await using engine = await Engine.start({ jobs: basic, database, threads: 1 })
  await engine.idle()
  for (const way of ['up', 'down']) {
    const { status, stderr } = migrate([way, '--database', database])
    expect(status).toBe(2)
    expect(stderr).toContain(`process ${process.pid} on`)
    expect(stderr).toContain('DATABASE_LOCKED')
  }
  expect(migrate(['status', '--database', database])).toMatchObject({ status: 0, stderr: '' })
})

test('an older version on a newer schema ends with 3, and leaves it as it is', async () => {
  await makeJob()
  const before = contentOf(database)
  const older = otherVersion('older', {}, known - 1)
  for (const way of ['up', 'down']) {
    const { status, stderr } = migrate([way, '--database', database], older)
    expect(status).toBe(3)
    expect(stderr).toContain(
      `has schema version ${known}, and this version of the engine knows up to ${known - 1}`,
    )
  }
  const shown = migrate(['status', '--database', database], older)
  expect(shown.status).toBe(3)
  expect(shown.stdout).toContain('not known to this one')
  expect(contentOf(database)).toBe(before)
  expect(backups()).toEqual([])
})

test('migrations with another text end with 3', async () => {
  await makeJob()
  const edited = otherVersion('edited', {})
  const file = join(edited, 'migrations', '002_execution_and_retry.up.sql')
  writeFileSync(file, `${readFileSync(file, 'utf8')}-- edited\n`)
  const { status, stdout } = migrate(['status', '--database', database], edited)
  expect(status).toBe(3)
  expect(stdout).toMatch(/002_execution_and_retry +applied .*the checksum does not match/)
  expect(migrate(['up', '--database', database], edited)).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('MIGRATION_EDITED'),
  })
})

test('a migration that fails ends with 4, and those before it are not there either', async () => {
  await makeJob()
  const before = contentOf(database)
  const failing = otherVersion('failing', {
    good: 'CREATE TABLE good (a INTEGER) STRICT;\nUPDATE jobs SET user_tag = NULL;\n',
    bad: 'INSERT INTO jobs (seq) VALUES (1);\n',
  })
  const { status, stderr } = migrate(['up', '--database', database], failing)
  expect(status).toBe(4)
  expect(stderr).toContain(`Migration ${known + 2} bad cannot be applied`)
  expect(stderr).toContain('the copy is removed again')
  expect(contentOf(database)).toBe(before)
  expect(backups()).toEqual([])
})

test('a SIGKILL in the middle of a migration leaves the database as it was', async () => {
  await makeJob()
  const before = contentOf(database)
  const endless = otherVersion('endless', {
    first: 'CREATE TABLE first (a TEXT) STRICT;',
    endless: `CREATE TABLE endless (a TEXT) STRICT;
      UPDATE jobs SET user_tag = NULL;
      INSERT INTO endless WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT hex(zeroblob(1000)) FROM n;`,
  })
  const child = spawn(process.execPath, commandLineOf(endless, ['up', '--database', database]), {
    cwd: folder,
    env,
  })
  await saying(child, '_endless')
  // What does not fit in the cache goes to the WAL: from then on there is something to be undone.
  const walBytes = () => statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0
  while (walBytes() < 1_000_000) await new Promise((resolve) => setImmediate(resolve))
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(migrate(['status', '--database', database]).status).toBe(0)
  expect(contentOf(database)).toBe(before)
  const again = await makeJob()
  expect(again).toMatch(/^job_/)
})

async function saying(child: ChildProcess, words: string): Promise<void> {
  let heard = ''
  for await (const chunk of child.stderr ?? []) {
    heard += String(chunk)
    if (heard.includes(words)) return
  }
  throw new Error(`It ended, and said only: ${heard}`)
}

test('the database is named by a flag, a variable or the file', async () => {
  await makeJob()
  writeFileSync(join(folder, 'semantica.config.json'), '{ "database": "tasks.db" }')
  expect(migrate(['status']).stdout).toContain(`${database} has schema version ${known}`)
  rmSync(join(folder, 'semantica.config.json'))
  expect(migrate(['status'], root, { SEMANTICA_DATABASE: database }).status).toBe(0)
})

test.each([
  [['status'], 'database is not given. Allowed: the path of a file'],
  [['up', '--database', 'missing.db'], 'missing.db does not exist'],
  [['status', '--database', 'missing.db'], 'missing.db does not exist'],
  [['up', '--database', 'no/such/tasks.db'], 'PATH_INVALID'],
  [['down', '--database', 'foreign.db'], 'DATABASE_FOREIGN'],
  [['status', '--database', 'foreign.db'], 'DATABASE_FOREIGN'],
  [['up', '--database', 'empty.db'], 'empty.db is empty'],
  [['up', '--to', 'x'], 'Allowed: a whole number from 1 to 999'],
  [['up', '--force'], "unknown option '--force'"],
  [['sideways'], "unknown command 'sideways'"],
] as const)('%j ends with 2 and one clear message', (words, message) => {
  writeFileSync(join(folder, 'empty.db'), '')
  const foreign = new Connection(join(folder, 'foreign.db'))
  foreign.exec('CREATE TABLE of_others (id INTEGER)')
  foreign.close()
  const { status, stdout, stderr } = migrate(words)
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(readdirSync(folder).toSorted()).toEqual(['empty.db', 'foreign.db'])
  expect(stderr).toMatch(/^semantica: /)
  expect(stderr).toContain(message)
  expect(stderr).not.toMatch(/^\s+at /m)
})

test('a version that is not on the way is refused', async () => {
  await makeJob()
  const cases = [
    [
      ['up', '--to', '99'],
      `--to is 99, and the database has schema version ${known}. Allowed: ${known} to ${known}`,
    ],
    [['up', '--to', '2'], 'Go the other way'],
    [['down', '--to', '99'], `Allowed: 0 to ${known} to go down`],
  ] as const
  for (const [words, message] of cases) {
    const { status, stderr } = migrate([...words, '--database', database])
    expect(status).toBe(2)
    expect(stderr).toContain(message)
  }
  expect(backups()).toEqual([])
})
