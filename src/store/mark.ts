import type { Database } from 'better-sqlite3'

/** SQLite's `application_id` of the job database: "STE1" in ASCII. It never changes; the schema has versions of its own. */
export const databaseMark = 0x53_54_45_31
/** The same of a lock file: "STL1". */
export const lockMark = 0x53_54_4c_31
/** The same of a list of programs: "STP1". */
export const processMark = 0x53_54_50_31

/**
 * Whose file this is, by its header and its list of tables alone, so that the size of the file does not matter.
 * `empty` is a file that holds nothing: new, or left so by whoever made it.
 *
 * @throws SqliteError when the header or the list cannot be read
 */
export function identify(database: Database, mark: number): 'ours' | 'empty' | 'foreign' {
  const tables = readNumber(database, 'SELECT count(*) FROM sqlite_schema')
  const found = readNumber(database, 'PRAGMA application_id')
  if (found === mark) return 'ours'
  return found === 0 && tables === 0 ? 'empty' : 'foreign'
}

/** The first column of the first row, which must be a number. */
export function readNumber(database: Database, sql: string): number {
  const value = database.prepare<[], unknown>(sql).pluck().get()
  if (typeof value !== 'number') throw new Error(`${sql} answered ${String(value)} instead of a number`)
  return value
}
