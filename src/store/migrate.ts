/**
 * Brings a database to the schema of this version of the code.
 *
 * Migrations are SQL files, numbered without gaps and never edited once published. Those that are pending are applied in
 * one transaction, each together with its row in `schema_migrations`: a failure or a crash at any instant leaves the
 * schema that was. The rows are then held against the files at each opening. A database that has more than the files is
 * newer than the code; one that differs from them was made by other code; both are refused before anything is written.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from 'better-sqlite3'
import { systemClock } from '../clock.ts'
import { assert, engineError, SemanticaError } from '../errors.ts'
import { fromSqliteError } from './database-errors.ts'
import { readNumber } from './mark.ts'

export interface Migration {
  /** 1 and up, without gaps. */
  readonly version: number
  readonly name: string
  readonly up: string
  /** Undoes `up`. Never run by the engine: see migrate-down.ts. */
  readonly down: string
  /** SHA-256 of `up` in hexadecimal, whatever its line endings. */
  readonly checksum: string
}

export type MigrationState =
  | {
      readonly kind: 'applied'
      readonly version: number
      readonly name: string
      /** Wall time, in milliseconds since the epoch. */
      readonly appliedAt: number
    }
  | { readonly kind: 'pending'; readonly version: number; readonly name: string }

/** A migration as the status lists it. `edited`: applied with another text. `unknown`: not one of this version. */
export interface ListedMigration {
  readonly version: number
  readonly name: string
  readonly state: 'applied' | 'pending' | 'edited' | 'unknown'
  /** Wall time, in milliseconds since the epoch; undefined while it is pending. */
  readonly appliedAt: number | undefined
}

interface AppliedRow {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly appliedAt: number
}

/** Beside src and workers, in the repository and in dist alike. */
const folder = join(import.meta.dirname, '../../migrations')
const upFile = /^(\d{3})_(\w+)\.up\.sql$/

const createTable = `CREATE TABLE IF NOT EXISTS schema_migrations (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at INTEGER NOT NULL
) STRICT`

/** All migrations of this version of the code, in order. */
export function readMigrations(): readonly Migration[] {
  const files = readdirSync(folder).filter((file) => upFile.test(file))
  return files.sort().map((file, index) => {
    const [, digits, name] = upFile.exec(file) ?? []
    assert(name !== undefined && Number(digits) === index + 1, `${file} is migration ${index + 1}`)
    const up = readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n')
    const down = readFileSync(join(folder, file.replace('.up.', '.down.')), 'utf8').replaceAll('\r\n', '\n')
    return { version: index + 1, name, up, down, checksum: createHash('sha256').update(up).digest('hex') }
  })
}

/**
 * Applies what is pending, all of it or nothing. Writes nothing when nothing is.
 *
 * @throws DATABASE_NEWER, MIGRATION_EDITED, both before anything was written
 * @throws MIGRATION_FAILED when the SQL of one fails: the database is as it was
 * @throws DISK_FULL, DATABASE_READ_ONLY, DATABASE_CORRUPT, DATABASE_LOCKED, DATABASE_FAILED as the file system has it
 */
export function migrateUp(database: Database, migrations: readonly Migration[]): void {
  const pending = migrations.slice(schemaVersion(database, migrations))
  applyAll(database, pending, 'applied to', ({ version, name, checksum, up }) => {
    database.exec(createTable)
    database
      .prepare('INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)')
      .run(version, name, checksum, systemClock.wallMs())
    database.exec(up)
  })
}

/** How many migrations the database has. @throws as migrationStatus */
export function schemaVersion(database: Database, migrations: readonly Migration[]): number {
  return migrationStatus(database, migrations).filter(({ kind }) => kind === 'applied').length
}

/**
 * Each migration of the code, and whether the database has it.
 *
 * @throws DATABASE_NEWER when the database has more
 * @throws MIGRATION_EDITED when the database has others, or others before them
 */
export function migrationStatus(
  database: Database,
  migrations: readonly Migration[],
): readonly MigrationState[] {
  const rows = readApplied(database)
  const latest = rows.at(-1)?.version ?? 0
  if (latest > migrations.length) throw newer(database, latest, migrations.length)
  for (const [index, row] of rows.entries()) refuseEdited(database, row, migrations[index])
  return migrations.map(({ version, name }, index) => {
    const row = rows[index]
    return row === undefined
      ? { kind: 'pending', version, name }
      : { kind: 'applied', version, name, appliedAt: row.appliedAt }
  })
}

/** The same for whoever wants to see what is wrong: refuses nothing. */
export function listMigrations(
  database: Database,
  migrations: readonly Migration[],
): readonly ListedMigration[] {
  const rows = new Map(readApplied(database).map((row) => [row.version, row]))
  const known = migrations.map(({ version, name, checksum }): ListedMigration => {
    const row = rows.get(version)
    rows.delete(version)
    if (row === undefined) return { version, name, state: 'pending', appliedAt: undefined }
    const isSame = row.name === name && row.checksum === checksum
    return { version, name: row.name, state: isSame ? 'applied' : 'edited', appliedAt: row.appliedAt }
  })
  const others = [...rows.values()].map(
    ({ version, name, appliedAt }): ListedMigration => ({ version, name, state: 'unknown', appliedAt }),
  )
  return [...known, ...others]
}

function readApplied(database: Database): AppliedRow[] {
  const tables = readNumber(
    database,
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'",
  )
  if (tables === 0) return []
  return database
    .prepare<[], AppliedRow>(
      'SELECT version, name, checksum, applied_at AS appliedAt FROM schema_migrations ORDER BY version',
    )
    .all()
}

function refuseEdited(database: Database, row: AppliedRow, migration: Migration | undefined): void {
  const same =
    row.version === migration?.version && row.name === migration.name && row.checksum === migration.checksum
  if (same) return
  const expected = migration === undefined ? 'none' : `${migration.version} ${migration.name}`
  const found = `${row.version} ${row.name}`
  throw engineError('MIGRATION_EDITED', {
    found:
      found === expected
        ? `Migration ${found} of ${database.name} was applied with another text`
        : `${database.name} has migration ${found} where this version has ${expected}`,
    action: 'Open the database with the version of the engine that made it, or start with a new file.',
    details: { path: database.name, version: row.version },
  })
}

/** What to tell of a reading that the schema does not allow; undefined: not because it is older than this code. */
export function olderSchema(database: Database): Error | undefined {
  const migrations = readMigrations()
  const found = schemaVersion(database, migrations)
  if (found === migrations.length) return undefined
  return engineError('DATABASE_OLDER', {
    found: `${database.name} has schema version ${found}, and this version of the engine needs ${migrations.length}`,
    action: 'Run `semantica migrate up`, or start an engine on it; both bring it up to date.',
    details: { path: database.name, found, needed: migrations.length },
  })
}

function newer(database: Database, found: number, known: number): Error {
  return engineError('DATABASE_NEWER', {
    found: `${database.name} has schema version ${found}, and this version of the engine knows up to ${known}`,
    action: 'Install the version of the engine that wrote it, or a later one.',
    details: { path: database.name, found, known },
  })
}

/**
 * Does the same with each of the migrations, in one transaction.
 *
 * @throws MIGRATION_FAILED and what SQLite gives otherwise; the database is as it was
 */
export function applyAll(
  database: Database,
  migrations: readonly Migration[],
  what: 'applied to' | 'reverted in',
  apply: (migration: Migration) => void,
): void {
  let current: Migration | undefined
  try {
    if (migrations.length === 0) return
    database.exec('BEGIN IMMEDIATE')
    for (const migration of migrations) {
      current = migration
      apply(migration)
    }
    database.exec('COMMIT')
  } catch (error) {
    // SQLite rolls back by itself after some errors, a full disk among them.
    if (database.inTransaction) database.exec('ROLLBACK')
    const known = fromSqliteError(error, database.name)
    if (known instanceof SemanticaError || current === undefined) throw known
    throw engineError('MIGRATION_FAILED', {
      found: `Migration ${current.version} ${current.name} cannot be ${what} ${database.name}: ${known.message}`,
      action: 'The database is as it was; report this with the text above.',
      details: { path: database.name, version: current.version },
      cause: error,
    })
  }
}
