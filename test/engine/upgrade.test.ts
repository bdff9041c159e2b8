/** Goal: a newer version of the engine takes an older database, and keeps a copy of it. Method: the way down, and a start. */
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import Connection from 'better-sqlite3'
import { expect, test } from 'vitest'
import { readMigrations, schemaVersion } from '../../src/store/migrate.ts'
import { migrateDown } from '../../src/store/migrate-down.ts'
import type { EngineEventMap } from '../../src/telemetry/events.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()
const migrations = readMigrations()
const older = migrations.length - 1

/** A database as the version before has left it. */
async function makeOlder(jobs: number): Promise<void> {
  const engine = await engines.open()
  for (let job = 0; job < jobs; job += 1) await (await engine.enqueue('OK', 'kept')).result()
  await engine.stop()
  const database = new Connection(engines.pathOf('tasks.db'))
  migrateDown(database, migrations, older)
  database.close()
}

function backups(): string[] {
  return readdirSync(engines.folder).filter((name) => name.endsWith('.backup'))
}

type Upgrade = EngineEventMap['schema-upgraded']

test('the first start of a newer version copies the database, changes its schema, and says so', async () => {
  await makeOlder(1)
  chmodSync(engines.pathOf('tasks.db'), 0o600)
  // What a process that died while it copied has left.
  writeFileSync(engines.pathOf(`tasks.db.schema-${older}.20260101T000000Z.backup.partial`), 'half of it')
  const engine = await engines.open()
  const upgrade = await new Promise<Upgrade>((resolve) => engine.events.once('schema-upgraded', resolve))
  const [backup = ''] = backups()
  expect(upgrade).toEqual({
    fromVersion: older,
    toVersion: migrations.length,
    backup: engines.pathOf(backup),
  })
  expect(backup).toMatch(new RegExp(`^tasks\\.db\\.schema-${older}\\.\\d{8}T\\d{6}Z\\.backup$`))
  expect(readdirSync(engines.folder).filter((name) => name.includes('partial'))).toEqual([])
  expect(statSync(engines.pathOf(backup)).mode & 0o777).toBe(0o600)
  const copy = new Connection(engines.pathOf(backup), { readonly: true })
  expect(schemaVersion(copy, migrations)).toBe(older)
  expect(copy.prepare('SELECT state FROM jobs').pluck().all()).toEqual(['DONE'])
  expect(copy.pragma('integrity_check', { simple: true })).toBe('ok')
  copy.close()
  expect((await engine.list()).jobs).toMatchObject([{ state: 'DONE' }])
  await engine.stop()
  // The copy is a database like any other.
  const restored = await engines.open({ database: engines.pathOf(backup), upgradeBackup: false })
  expect((await restored.list()).jobs).toMatchObject([{ state: 'DONE' }])
})

test.each([
  ['when it is not wanted', 1, { upgradeBackup: false }],
  ['without jobs', 0, {}],
] as const)('no copy is made %s', async (_, jobs, options) => {
  await makeOlder(jobs)
  const engine = await engines.open(options)
  const upgrade = await new Promise<Upgrade>((resolve) => engine.events.once('schema-upgraded', resolve))
  expect(upgrade).toEqual({ fromVersion: older, toVersion: migrations.length, backup: undefined })
  expect(backups()).toEqual([])
})

test('a start that cannot change the schema leaves no copy, however often it is tried', async () => {
  await makeOlder(1)
  engines.change('CREATE INDEX idx_idempotency_keys_seq ON idempotency_keys (seq)')
  for (const _ of ['first', 'second']) await rejectionOf(engines.open(), 'MIGRATION_FAILED')
  expect(backups()).toEqual([])
  engines.change('DROP INDEX idx_idempotency_keys_seq')
  await engines.open()
  expect(backups()).toHaveLength(1)
})
