/**
 * The way back to an older schema, for whoever must go back to an older version of the engine. What a step drops is read
 * from its own SQL: `DROP TABLE t` and `ALTER TABLE t DROP COLUMN c`, one statement each. A line `-- keeps t`, or
 * `-- keeps t.c`, in it says that the content is elsewhere too, or was put there before. A test holds the words against what really goes.
 */
import type { Database } from 'better-sqlite3'
import { engineError } from '../errors.ts'
import { readNumber } from './mark.ts'
import { applyAll, type Migration, schemaVersion } from './migrate.ts'

/** What a step down would take away. */
interface Loss {
  readonly version: number
  readonly table: string
  /** Undefined: the whole table. */
  readonly column: string | undefined
  /** Rows that hold something there. */
  readonly rows: number
}

/**
 * Reverts the migrations above `to`, the newest first, all in one transaction. Asks nothing about what goes with them.
 *
 * @throws MIGRATION_FAILED: the database is as it was; DATABASE_NEWER, MIGRATION_EDITED and what SQLite gives otherwise
 */
export function migrateDown(database: Database, migrations: readonly Migration[], to: number): void {
  applyAll(database, appliedAbove(database, migrations, to), 'reverted in', ({ version, down }) => {
    database.exec(down)
    database.prepare('DELETE FROM schema_migrations WHERE version = ?').run(version)
  })
}

/**
 * @param backsUp whether a copy is taken before
 * @throws MIGRATION_LOSES_DATA when going back to `to` would take away something that is there
 */
export function refuseLosses(
  database: Database,
  migrations: readonly Migration[],
  to: number,
  backsUp = true,
): void {
  const losses = appliedAbove(database, migrations, to)
    .flatMap(droppedBy)
    .map((drop) => ({ ...drop, rows: countRows(database, drop) }))
    .filter(({ rows }) => rows > 0)
  if (losses.length > 0) throw wouldLose(database, to, losses, backsUp)
}

function appliedAbove(database: Database, migrations: readonly Migration[], to: number): Migration[] {
  return migrations.slice(to, schemaVersion(database, migrations)).toReversed()
}

/** What the text of a step drops, of which nothing is kept elsewhere. */
export function droppedBy({ version, down }: Migration): readonly Omit<Loss, 'rows'>[] {
  const kept = new Set([...down.matchAll(/^-- keeps (\w+(?:\.\w+)?)$/gm)].map(([, place]) => place))
  const drops = down.matchAll(/^\s*(?:DROP TABLE (\w+)|ALTER TABLE (\w+) DROP COLUMN (\w+));/gm)
  return [...drops].flatMap(([, whole, part, column]) => {
    const table = whole ?? part
    return table === undefined || kept.has(column === undefined ? table : `${table}.${column}`)
      ? []
      : [{ version, table, column }]
  })
}

function countRows(database: Database, { table, column }: Omit<Loss, 'rows'>): number {
  if (column === undefined) return readNumber(database, `SELECT count(*) FROM "${table}"`)
  const standard = database
    .prepare<[string, string], unknown>('SELECT dflt_value FROM pragma_table_info(?) WHERE name = ?')
    .pluck()
    .get(table, column)
  const empty = typeof standard === 'string' ? standard : 'NULL'
  return readNumber(database, `SELECT count(*) FROM "${table}" WHERE "${column}" IS NOT ${empty}`)
}

function wouldLose(database: Database, to: number, losses: readonly Loss[], backsUp: boolean): Error {
  const listed = losses.map(({ table, column, rows }) => {
    const what = column === undefined ? table : `${table}.${column}`
    return `${what} (${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'})`
  })
  return engineError('MIGRATION_LOSES_DATA', {
    found: `Going back to schema version ${to} would drop ${listed.join(', ')} from ${database.name}`,
    action: backsUp
      ? 'Nothing was written. Add --force where that may go; a backup is taken before.'
      : 'Nothing was written. Add --force where that may go for good: with --no-backup nothing is kept of it.',
    details: { path: database.name, to, losses },
  })
}
