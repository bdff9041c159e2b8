/** What `semantica migrate` does: the schema of a database that no engine has open, up and down. */
import { engineError } from '../errors.ts'
import { closeWriter } from './close.ts'
import { fromSqliteError } from './database-errors.ts'
import { DatabaseLock } from './lock.ts'
import {
  type ListedMigration,
  listMigrations,
  type Migration,
  migrateUp,
  readMigrations,
  schemaVersion,
} from './migrate.ts'
import { migrateDown, refuseLosses } from './migrate-down.ts'
import { type Database, openAnySchema, openForSchema } from './open.ts'
import { backUpSchema, changeBackedUp } from './schema-backup.ts'

export interface SchemaChange {
  readonly direction: 'up' | 'down'
  /** By default the newest version that this code knows; the way down: one step. */
  readonly to?: number | undefined
  /** Whether the way down may drop data. */
  readonly force: boolean
  readonly backup: boolean
}

export interface SchemaReport {
  readonly database: string
  readonly from: number
  readonly to: number
  /** Path of the copy that was taken before; undefined when none was wanted, or nothing was to be done. */
  readonly backup: string | undefined
}

/** Told before it is begun, where it may take long, so that whoever waits knows for what. */
export type SchemaStep =
  | { readonly kind: 'backing-up'; readonly database: string }
  | { readonly kind: 'backed-up'; readonly path: string }
  /** The change failed: nothing differs from the copy. */
  | { readonly kind: 'copy-removed' }
  | {
      readonly kind: 'changing'
      readonly direction: 'up' | 'down'
      readonly migrations: readonly Pick<Migration, 'version' | 'name'>[]
    }

/**
 * Takes the database's lock for as long as it takes. What fails leaves the database as it was.
 *
 * @throws DATABASE_LOCKED naming the holder, OPTION_INVALID, MIGRATION_LOSES_DATA, MIGRATION_FAILED,
 *   DATABASE_NEWER, MIGRATION_EDITED, DISK_FULL, and what openForSchema throws
 */
export function changeSchema(
  path: string,
  change: SchemaChange,
  tell: (step: SchemaStep) => void = () => {},
): SchemaReport {
  // Before the lock, which leaves a file beside whatever the path names.
  openAnySchema(path).close()
  const lock = DatabaseLock.acquire(path, `semantica migrate ${change.direction}`)
  let database: Database | undefined
  try {
    database = openForSchema(path, lock)
    return run(database, change, tell)
  } catch (error) {
    throw fromSqliteError(error, path)
  } finally {
    if (database !== undefined) closeWriter(database)
    lock.release()
  }
}

function run(
  database: Database,
  { direction, to, force, backup }: SchemaChange,
  tell: (step: SchemaStep) => void,
): SchemaReport {
  const migrations = readMigrations()
  const from = schemaVersion(database, migrations)
  const wanted = targetOf(direction, to, from, migrations.length)
  const report = { database: database.name, from, to: wanted }
  if (wanted === from) return { ...report, backup: undefined }
  if (direction === 'down' && !force) refuseLosses(database, migrations, wanted, backup)
  let copy: string | undefined
  if (backup) {
    tell({ kind: 'backing-up', database: database.name })
    copy = backUpSchema(database, from)
    tell({ kind: 'backed-up', path: copy })
  }
  const between = migrations.slice(Math.min(from, wanted), Math.max(from, wanted))
  tell({ kind: 'changing', direction, migrations: direction === 'up' ? between : between.toReversed() })
  const apply = () => {
    if (direction === 'up') migrateUp(database, migrations.slice(0, wanted))
    else migrateDown(database, migrations, wanted)
  }
  changeBackedUp(copy, apply, () => tell({ kind: 'copy-removed' }))
  return { ...report, backup: copy }
}

function targetOf(direction: 'up' | 'down', to: number | undefined, from: number, known: number): number {
  const wanted = to ?? (direction === 'up' ? known : Math.max(0, from - 1))
  const [least, most] = direction === 'up' ? [from, known] : [0, from]
  if (wanted >= least && wanted <= most) return wanted
  throw engineError('OPTION_INVALID', {
    found: `--to is ${wanted}, and the database has schema version ${from}`,
    allowed: `${least} to ${most} to go ${direction}`,
    action: wanted <= known ? 'Go the other way, or correct it.' : 'Correct it.',
    details: { option: 'to', from },
  })
}

export interface SchemaStatus {
  readonly database: string
  /** The newest migration that the database has, and the newest that this code knows. */
  readonly version: number
  readonly known: number
  readonly migrations: readonly ListedMigration[]
}

/**
 * What the schema of a database is, whatever it is. Works beside an engine.
 *
 * @throws as openReader
 */
export function readSchemaStatus(path: string): SchemaStatus {
  const database = openAnySchema(path)
  try {
    const known = readMigrations()
    const migrations = listMigrations(database, known)
    const applied = migrations.filter(({ state }) => state !== 'pending')
    const version = Math.max(0, ...applied.map((one) => one.version))
    return { database: database.name, version, known: known.length, migrations }
  } finally {
    database.close()
  }
}
