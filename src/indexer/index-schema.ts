import { existsSync, statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { engineError } from '../errors.ts'

export type IndexDatabase = Database.Database

/** Marks the file as an index of this package (`SmIx`), for `file` and for us. */
const applicationId = 0x536d4978
const schemaVersion = 2

/**
 * Everything here can be built again from the sources, so there are no migrations: a change of this schema, or of what
 * is extracted, raises the version, and an older index is refused with the advice to delete it.
 *
 * `run`, `generation` and `attempt` say which attempt wrote a row. A run is one call of the indexer; its number only
 * grows, which generations do not: they start afresh when the job database has forgotten a subject.
 *
 * Of definitions only the names are rows: what else is known of them is asked for a few at a time, and a row for each
 * was half of the writer's work. The id of a definition holds the file's id above 32 bits, and its place in the file
 * below.
 */
const schema = `
  CREATE TABLE facts (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    mtime_ms REAL NOT NULL,
    checked_at_ms INTEGER NOT NULL,
    hash TEXT,
    skip_reason TEXT,
    language TEXT,
    symbols INTEGER NOT NULL,
    run INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    CHECK ((hash IS NULL) <> (skip_reason IS NULL))
  ) STRICT;
  CREATE TABLE definitions (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
  CREATE TABLE details (file_id INTEGER PRIMARY KEY, packed TEXT NOT NULL) STRICT;
`

/**
 * The index by name. NOCASE serves all four ways of matching: exact and prefix, with and without case.
 *
 * It is not there during the first run, and made at its end: to sort all names once is a tenth of the work of
 * putting each in its place. Until then a search reads all rows.
 */
export const nameIndexSql = {
  drop: 'DROP INDEX IF EXISTS definitions_by_name',
  create: 'CREATE INDEX IF NOT EXISTS definitions_by_name ON definitions (name COLLATE NOCASE)',
} as const

/**
 * Opens the index for its one writer, and creates it when there is none.
 *
 * @throws DATABASE_FOREIGN, DATABASE_NEWER, DATABASE_CORRUPT, DATABASE_READ_ONLY, DISK_FULL, DATABASE_FAILED
 */
export function openIndexForWriting(path: string): IndexDatabase {
  return guarded(path, () => {
    const database = new Database(path, { timeout: 5_000 })
    try {
      prepare(database, path)
      return database
    } catch (error) {
      database.close()
      throw error
    }
  })
}

function prepare(database: IndexDatabase, path: string): void {
  if (isEmpty(database)) {
    database.pragma('page_size = 8192')
    database.pragma('journal_mode = WAL')
    // Another process may have been first between the look and the lock.
    database
      .transaction(() => {
        if (!isEmpty(database)) return
        database.exec(schema)
        database.pragma(`application_id = ${applicationId}`)
        database.pragma(`user_version = ${schemaVersion}`)
      })
      .immediate()
  }
  checkIdentity(database, path)
  database.pragma('journal_mode = WAL')
  // Survives the death of the process. After a power cut the last commits may be gone, and their files are read again.
  database.pragma('synchronous = NORMAL')
  database.pragma('cache_size = -32000')
  // 8 MB: what is left for the end of a run is short then, and a first run's rows are moved little more than once.
  database.pragma('wal_autocheckpoint = 1000')
}

/**
 * Opens the index for reading, beside a writer if there is one; undefined when there is no index.
 *
 * @throws as openIndexForWriting
 */
export function openIndexForReading(path: string): IndexDatabase | undefined {
  if (!existsSync(path) || statSync(path).size === 0) return undefined
  return guarded(path, () => {
    const database = new Database(path, { readonly: true, fileMustExist: true, timeout: 5_000 })
    try {
      if (isEmpty(database)) {
        database.close()
        return undefined
      }
      checkIdentity(database, path)
      return database
    } catch (error) {
      database.close()
      throw error
    }
  })
}

function isEmpty(database: IndexDatabase): boolean {
  return database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0
}

function checkIdentity(database: IndexDatabase, path: string): void {
  const foundId = database.pragma('application_id', { simple: true })
  if (foundId !== applicationId) {
    throw engineError('DATABASE_FOREIGN', {
      found: `${path} is a database of another program`,
      allowed: 'an index of this package, or no file at all',
      action: 'Move the file away, or choose another state folder with --state.',
    })
  }
  const version = database.pragma('user_version', { simple: true })
  if (version !== schemaVersion) {
    const newer = typeof version === 'number' && version > schemaVersion
    throw engineError(newer ? 'DATABASE_NEWER' : 'DATABASE_FOREIGN', {
      found: `${path} has index version ${String(version)}`,
      allowed: `version ${schemaVersion}`,
      action: newer
        ? 'Update this package, or delete the file to build the index anew.'
        : 'Delete the file to build the index anew.',
    })
  }
}

/** Runs what touches the index, and turns what SQLite throws into errors of the registry. */
export function guarded<Result>(path: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw translate(path, error)
  }
}

function translate(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error
  const { code, message } = error
  if (!code.startsWith('SQLITE_')) return error
  const found = `${path}: ${message} (${code})`
  if (code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT')) {
    return engineError('DATABASE_CORRUPT', {
      found,
      action: 'Delete the file to build the index anew; no source is lost.',
      cause: error,
    })
  }
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN') || code === 'SQLITE_PERM') {
    return engineError('DATABASE_READ_ONLY', {
      found,
      action: 'Make the state folder writable, or choose another with --state.',
      cause: error,
    })
  }
  if (code === 'SQLITE_FULL') {
    return engineError('DISK_FULL', { found, action: 'Free some space and run again.', cause: error })
  }
  return engineError('DATABASE_FAILED', { found, action: 'Run again.', cause: error })
}
