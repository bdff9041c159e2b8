import type { Database } from 'better-sqlite3'
import { readNumber } from './mark.ts'
import { type Migration, migrateUp, schemaVersion } from './migrate.ts'
import { backUpSchema, changeBackedUp } from './schema-backup.ts'

/** What the first opening by a newer version of the code did. */
export interface SchemaUpgrade {
  readonly fromVersion: number
  readonly toVersion: number
  /** Path of the copy that was taken before; undefined when none was wanted, or no job was there. */
  readonly backup: string | undefined
}

/**
 * Brings the schema up to date.
 *
 * @param backsUp whether a database with jobs is copied before
 * @returns undefined when there was nothing to do, or the database is new
 * @throws as backUpSchema and migrateUp
 */
export function upgradeSchema(
  database: Database,
  migrations: readonly Migration[],
  backsUp: boolean,
): SchemaUpgrade | undefined {
  const fromVersion = schemaVersion(database, migrations)
  const toVersion = migrations.length
  if (fromVersion === toVersion) return undefined
  const isWorthIt =
    backsUp && fromVersion > 0 && readNumber(database, 'SELECT EXISTS (SELECT 1 FROM jobs)') > 0
  const backup = isWorthIt ? backUpSchema(database, fromVersion) : undefined
  changeBackedUp(backup, () => migrateUp(database, migrations))
  return fromVersion === 0 ? undefined : { fromVersion, toVersion, backup }
}
