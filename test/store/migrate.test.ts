import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Connection, { type Database } from 'better-sqlite3'
import { expect, test } from 'vitest'
import { isFinal, jobStates } from '../../src/job/state.ts'
import { type Migration, migrateUp, migrationStatus, readMigrations } from '../../src/store/migrate.ts'
import { openWriter } from '../../src/store/open.ts'
import { thrownBy, usePlace } from './folder.ts'

const place = usePlace()
const migrations = readMigrations()
const known = migrations.length
const dumpFile = join(import.meta.dirname, '../schema.sql')

function openEmpty(): Database {
  return place.keep(new Connection(place.pathOf('empty.db')))
}

function dump(database: Database): string {
  const rows = database
    .prepare<[], { sql: string }>(
      'SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY tbl_name, type DESC, name',
    )
    .all()
  return rows.map(({ sql }) => `${sql};\n`).join('\n')
}

function withChange(version: number, change: Partial<Migration>): Migration[] {
  return migrations.map((migration) =>
    migration.version === version ? { ...migration, ...change } : migration,
  )
}

function added(up: string): readonly Migration[] {
  const version = migrations.length + 1
  return [...migrations, { version, name: 'added', up, down: '', checksum: `of ${up}` }]
}

test('the schema is the one of test/schema.sql', () => {
  const database = openEmpty()
  migrateUp(database, migrations)
  const found = dump(database)
  if (process.env.SEMANTICA_WRITE_SCHEMA === '1') writeFileSync(dumpFile, found)
  expect(
    found,
    'after a wanted change run: SEMANTICA_WRITE_SCHEMA=1 npx vitest run test/store/migrate.test.ts',
  ).toBe(readFileSync(dumpFile, 'utf8'))
})

test('every migration has its way back, and can be applied again after it', () => {
  const database = openEmpty()
  migrateUp(database, migrations)
  const before = dump(database)
  for (const { version, down } of migrations.toReversed()) {
    database.exec(down)
    database.prepare('DELETE FROM schema_migrations WHERE version = ?').run(version)
  }
  expect(database.prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual(['schema_migrations'])
  migrateUp(database, migrations)
  expect(dump(database)).toBe(before)
})

test('the files are numbered from 1, and their checksums ignore line endings', () => {
  expect(migrations.map(({ version, name }) => `${version} ${name}`)).toEqual([
    '1 initial',
    '2 execution_and_retry',
    '3 scheduling',
    '4 add_dx_fields',
    '5 payloads',
    '6 expirations',
    '7 cancel_requests',
    '8 progress',
    '9 traces',
    '10 maintenance',
  ])
  for (const { up, down, checksum } of migrations) {
    expect(up).not.toContain('\r')
    expect(down).toMatch(/DROP/)
    expect(checksum).toBe(createHash('sha256').update(up).digest('hex'))
  }
})

test('the status lists what is applied and what is pending', () => {
  const database = openEmpty()
  const pending = migrations.map(() => 'pending')
  expect(migrationStatus(database, migrations).map(({ kind }) => kind)).toEqual(pending)
  migrateUp(database, migrations.slice(0, 2))
  const states = migrationStatus(database, migrations)
  expect(states.map(({ kind }) => kind)).toEqual(['applied', 'applied', ...pending.slice(2)])
  expect(states[0]).toMatchObject({ version: 1, name: 'initial', appliedAt: expect.any(Number) })
})

test('states and their CHECK are those of src/job/state.ts', () => {
  const database = openEmpty()
  migrateUp(database, migrations)
  const insert = database.prepare(
    "INSERT INTO jobs (state, job_type, payload, created_at, finished_at, waits_for) VALUES (?, 'T', '{}', 0, ?, ?)",
  )
  const isAccepted = (state: string, finishedAt: number | null, waitsFor: string | null) => {
    try {
      return insert.run(state, finishedAt, waitsFor).changes === 1
    } catch (error) {
      expect(error).toMatchObject({ code: 'SQLITE_CONSTRAINT_CHECK' })
      return false
    }
  }
  const ways: [number | null, string | null][] = [
    [null, null],
    [null, 'turn'],
    [null, 'time'],
    [1, null],
    [1, 'turn'],
  ]
  const accepted = jobStates.map((state) => ways.map((way) => isAccepted(state, ...way)))
  expect(accepted).toEqual(
    jobStates.map((state) => [
      state === 'RUNNING',
      state === 'QUEUED',
      state === 'SCHEDULED',
      isFinal(state),
      false,
    ]),
  )
  const unknown = ['WAITING', 'done'].flatMap((state) => ways.map((way) => isAccepted(state, ...way)))
  expect(unknown).not.toContain(true)
  // Not one state more in the SQL than in the code.
  const check = migrations[0]?.up.match(/WHEN '(\w+)'/g)?.map((text) => text.slice(6, -1))
  expect(check?.toSorted()).toEqual(jobStates.toSorted())
})

test.each([
  ['an edited text', 2, { checksum: 'other' }, /2 execution_and_retry .* was applied with another text/],
  ['another name', 3, { name: 'renamed' }, /has migration 3 scheduling where this version has 3 renamed/],
])('%s is refused before anything is written', (_, version, change, text) => {
  const database = openEmpty()
  migrateUp(database, migrations.slice(0, 3))
  const before = dump(database)
  const error = thrownBy(() => migrateUp(database, withChange(version, change)), 'MIGRATION_EDITED')
  expect(error.message).toMatch(text)
  expect(dump(database)).toBe(before)
})

test('a migration that is missing between others is refused', () => {
  const database = openEmpty()
  migrateUp(database, migrations)
  database.exec('DELETE FROM schema_migrations WHERE version = 2')
  const error = thrownBy(() => migrateUp(database, migrations), 'MIGRATION_EDITED')
  expect(error.message).toContain('has migration 3 scheduling where this version has 2 execution_and_retry')
})

test('a database from a newer version is refused, and both versions are named', () => {
  const file = place.pathOf('tasks.db')
  const database = openWriter({ path: file, durability: 'process' })
  migrateUp(database, added('CREATE TABLE later (a INTEGER) STRICT'))
  database.close()
  let owned = 0
  const open = () => openWriter({ path: file, durability: 'process', onOwned: () => owned++ })
  const error = thrownBy(open, 'DATABASE_NEWER')
  expect(owned).toBe(0)
  expect(error.message).toContain(
    `has schema version ${known + 1}, and this version of the engine knows up to ${known}`,
  )
  expect(error.details).toMatchObject({ found: known + 1, known })
})

test('a migration that fails leaves the database as it was', () => {
  const database = openEmpty()
  migrateUp(database, migrations)
  const before = dump(database)
  const failing = added("CREATE TABLE later (a INTEGER) STRICT; INSERT INTO later VALUES ('text')")
  const error = thrownBy(() => migrateUp(database, failing), 'MIGRATION_FAILED')
  expect(error.message).toContain(`Migration ${known + 1} added cannot be applied`)
  expect(error.cause).toMatchObject({ code: 'SQLITE_CONSTRAINT_DATATYPE' })
  expect(database.inTransaction).toBe(false)
  expect(dump(database)).toBe(before)
  expect(migrationStatus(database, failing).at(-1)?.kind).toBe('pending')
})

test('a full disk is called so, and leaves the database as it was', () => {
  const database = openEmpty()
  migrateUp(database, migrations)
  const before = dump(database)
  const pages = database.pragma('page_count', { simple: true })
  database.pragma(`max_page_count = ${pages}`)
  const filling = added('CREATE TABLE later (a BLOB) STRICT; INSERT INTO later VALUES (zeroblob(1000000))')
  thrownBy(() => migrateUp(database, filling), 'DISK_FULL')
  expect(database.inTransaction).toBe(false)
  expect(dump(database)).toBe(before)
})
