import Connection, { type Database } from 'better-sqlite3'
import { expect, test } from 'vitest'
import { type Migration, migrateUp, readMigrations, schemaVersion } from '../../src/store/migrate.ts'
import { droppedBy, migrateDown, refuseLosses } from '../../src/store/migrate-down.ts'
import { thrownBy, usePlace } from './folder.ts'

const place = usePlace()
const migrations = readMigrations()

function openMigrated(version = migrations.length): Database {
  const database = place.keep(new Connection(place.pathOf('tasks.db')))
  migrateUp(database, migrations.slice(0, version))
  return database
}

/** Tables and columns that a database has. */
function placesOf(database: Database): Set<string> {
  const columns = database
    .prepare<[], { place: string }>(
      `SELECT tables.name || '.' || columns.name AS place
       FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'`,
    )
    .all()
  return new Set(columns.flatMap(({ place: one }) => [one, one.slice(0, one.indexOf('.'))]))
}

test('what the text of each step says that it drops is what goes, or is kept elsewhere', () => {
  for (const migration of migrations) {
    const database = place.keep(new Connection(':memory:'))
    migrateUp(database, migrations.slice(0, migration.version))
    const before = placesOf(database)
    migrateDown(database, migrations, migration.version - 1)
    const after = placesOf(database)
    const gone = [...before].filter((one) => !after.has(one))
    const kept = new Set([...migration.down.matchAll(/^-- keeps (\S+)$/gm)].map(([, place]) => place))
    const tables = gone.filter((one) => !one.includes('.') && !kept.has(one))
    const columns = gone.filter((one) => after.has(one.slice(0, one.indexOf('.'))) && !kept.has(one))
    const found = droppedBy(migration).map(({ table, column }) =>
      column === undefined ? table : `${table}.${column}`,
    )
    expect(found.toSorted()).toEqual([...tables, ...columns].toSorted())
  }
})

test('going down is refused where something would go, and says what', () => {
  const database = openMigrated()
  const insert = database.prepare(
    `INSERT INTO jobs (state, job_type, payload, created_at, waits_for, attempt, user_tag)
     VALUES ('QUEUED', 'T', '{}', 0, 'turn', ?, ?)`,
  )
  insert.run(0, null)
  insert.run(1, 'nightly')
  insert.run(2, null)
  database.exec("INSERT INTO attempts (seq, attempt, ended_at, cause) VALUES (1, 1, 1, 'THREW')")
  database.exec(
    "INSERT INTO subjects (subject_key, latest_generation, latest_seq, last_seq, jobs) VALUES ('s', 1, 1, 1, 1)",
  )
  refuseLosses(database, migrations, 4)
  const error = thrownBy(() => refuseLosses(database, migrations, 1), 'MIGRATION_LOSES_DATA')
  expect(error.message).toContain(
    'would drop jobs.user_tag (1 row), attempts (1 row), jobs.attempt (2 rows) from',
  )
  expect(error.details).toMatchObject({
    to: 1,
    losses: [
      { version: 4, table: 'jobs', column: 'user_tag', rows: 1 },
      { version: 2, table: 'attempts', rows: 1 },
      { version: 2, table: 'jobs', column: 'attempt', rows: 2 },
    ],
  })
  expect(schemaVersion(database, migrations)).toBe(migrations.length)
})

test('a long payload goes back to its job', () => {
  const database = openMigrated(5)
  database.exec(`INSERT INTO jobs (seq, state, job_type, payload, created_at, waits_for)
    VALUES (1, 'QUEUED', 'T', '', 0, 'turn'); INSERT INTO payloads (seq, payload) VALUES (1, '"long"')`)
  refuseLosses(database, migrations, 4)
  migrateDown(database, migrations, 4)
  expect(database.prepare('SELECT payload FROM jobs').pluck().all()).toEqual(['"long"'])
})

test('programs that wait in a lane of their own wait for their turn, where there is no such lane', () => {
  const database = openMigrated()
  const insert = database.prepare(
    'INSERT INTO jobs (queue, state, job_type, payload, created_at, waits_for, run_at) VALUES (?, ?, ?, ?, 0, ?, ?)',
  )
  insert.run('default', 'SCHEDULED', 'P', '{}', 'program', null)
  insert.run('default', 'SCHEDULED', 'P', '{}', 'time', 99)
  insert.run('other', 'SCHEDULED', 'P', '{}', 'program', null)
  insert.run('other', 'QUEUED', 'T', '{}', 'turn', null)
  database.exec(`INSERT INTO counters (queue, state, jobs)
    VALUES ('default', 'SCHEDULED', 2), ('other', 'SCHEDULED', 1), ('other', 'QUEUED', 1)`)
  refuseLosses(database, migrations, 8)
  migrateDown(database, migrations, 8)
  expect(database.prepare('SELECT waits_for FROM jobs ORDER BY seq').pluck().all()).toEqual([
    'turn',
    'time',
    'turn',
    'turn',
  ])
  const counters = database.prepare('SELECT queue, state, jobs FROM counters ORDER BY queue, state').raw()
  expect(counters.all()).toEqual([
    ['default', 'QUEUED', 1],
    ['default', 'SCHEDULED', 1],
    ['other', 'QUEUED', 2],
    ['other', 'SCHEDULED', 0],
  ])
})

test.each([
  ['up', (database: Database, changed: readonly Migration[]) => migrateUp(database, changed)],
  ['down', (database: Database, changed: readonly Migration[]) => migrateDown(database, changed, 3)],
] as const)('the way %s that fails at its second step leaves all as it was', (way, migrate) => {
  const database = openMigrated(way === 'up' ? 4 : 6)
  const before = placesOf(database)
  const broken = migrations.map((one) =>
    one.version === (way === 'up' ? 6 : 5) ? { ...one, [way]: `${one[way]};\nDROP TABLE missing;` } : one,
  )
  const error = thrownBy(() => migrate(database, broken), 'MIGRATION_FAILED')
  expect(error.message).toMatch(
    way === 'up' ? /6 expirations cannot be applied/ : /5 payloads cannot be reverted/,
  )
  expect(placesOf(database)).toEqual(before)
  expect(database.inTransaction).toBe(false)
})
