import type { Database } from 'better-sqlite3'
import { readNumber } from './mark.ts'
import { pageBytes } from './open.ts'

/** Size of the database file and how much of it is free for new rows, as this connection knows it. Some microseconds. */
export function readFileBytes(database: Database): {
  readonly fileBytes: number
  readonly freeBytes: number
} {
  return {
    fileBytes: readNumber(database, 'PRAGMA page_count') * pageBytes,
    freeBytes: readNumber(database, 'PRAGMA freelist_count') * pageBytes,
  }
}
