/**
 * Opens the connections of a job database, each with every setting stated: none is left to SQLite's or the driver's
 * defaults, which differ between builds. Opening reads the header and the schema only, however large the file; a page
 * that is damaged further inside is found when it is read, and comes back as DATABASE_CORRUPT then.
 */
import Connection, { type Database } from 'better-sqlite3'
import { systemClock } from '../clock.ts'
import { assert, engineError } from '../errors.ts'
import { type DatabaseId, newDatabaseId, toDatabaseId } from '../job/id.ts'
import { fromSqliteError, sqliteCode } from './database-errors.ts'
import { assertWritable, exists, isSingleByte, locateDatabase } from './file-system.ts'
import { refuseOther, writeNote } from './holder-note.ts'
import type { DatabaseLock } from './lock.ts'
import { databaseMark, identify, readNumber } from './mark.ts'
import { migrationStatus, readMigrations, schemaVersion } from './migrate.ts'
import { type SchemaUpgrade, upgradeSchema } from './schema-upgrade.ts'

/** A connection, for those who pass one on. */
export type { Database } from 'better-sqlite3'

export interface OpenOptions {
  readonly path: string
  /** What an acknowledged write survives: the death of the process, or also a loss of power. */
  readonly durability: 'process' | 'power'
  /** What the caller holds of the path. Left out: nobody is told who has it, nor is it asked. */
  readonly lock?: DatabaseLock
  /** Called as soon as it is known that the database is the caller's to use, before anything of it is changed. */
  readonly onOwned?: () => void
  /** Whether a database with jobs is copied before its schema changes. Default false. */
  readonly upgradeBackup?: boolean
  /** Told when the schema of a database that was there before has changed. */
  readonly onUpgrade?: (upgrade: SchemaUpgrade) => void
}

/** Older ones can lose a write when a checkpoint and a commit meet as the WAL starts again from its beginning. */
const minimumSqlite = [3, 51, 3] as const

/** Size of a page of the job database; fixed when the file is made. */
export const pageBytes = 8_192

/**
 * How long a connection waits for a lock. Only one writer exists, so what there is to wait for is short: the recovery
 * of the WAL by another connection, or the end of a checkpoint.
 */
const busyTimeoutMs = 100
/** A WAL that has grown larger, beside a long reader, is cut to this size when it begins anew. */
const walKeptBytes = 64_000_000
const writerCacheKb = 8_192
const readerCacheKb = 8_192
/** A checkpoint copies pages past the cache. */
const checkpointerCacheKb = 64

/**
 * Opens the one connection that writes. Makes the file when it is missing or empty, and brings its schema up to date.
 * The caller holds the DatabaseLock of the path.
 *
 * @throws PATH_INVALID, FILE_SYSTEM_UNSUPPORTED, DATABASE_READ_ONLY, DATABASE_FOREIGN, DATABASE_CORRUPT, DISK_FULL,
 *   DATABASE_LOCKED, DATABASE_FAILED, DATABASE_NEWER, MIGRATION_EDITED, MIGRATION_FAILED
 */
export function openWriter(options: OpenOptions): Database {
  const { path, durability, lock, onOwned, upgradeBackup = false, onUpgrade } = options
  const file = locateDatabase(path)
  assertWritable(file)
  return connect(file, { timeout: busyTimeoutMs }, (database) => {
    setCommon(database)
    database.pragma(`synchronous = ${durability === 'power' ? 'FULL' : 'NORMAL'}`)
    database.pragma('foreign_keys = ON')
    database.pragma('wal_autocheckpoint = 0')
    database.pragma(`journal_size_limit = ${walKeptBytes}`)
    const owner = identify(database, databaseMark)
    if (owner === 'foreign') throw foreign(file, 'is an SQLite database of another program')
    if (lock !== undefined) refuseOther(database, lock)
    const migrations = readMigrations()
    if (owner === 'ours') schemaVersion(database, migrations)
    onOwned?.()
    if (owner === 'empty') layOut(database)
    setWal(database)
    setCache(database, writerCacheKb)
    const upgrade = upgradeSchema(database, migrations, upgradeBackup)
    insertDatabaseId(database)
    if (lock !== undefined) writeNote(database, lock)
    if (upgrade !== undefined) onUpgrade?.(upgrade)
  })
}

/**
 * Opens a connection that changes the schema, and leaves it as it is for now. Its changes survive a loss of power. The
 * caller holds the DatabaseLock of the path.
 *
 * @throws PATH_INVALID when the file is missing, or no engine has opened it yet; otherwise as openWriter, but whatever
 *   schema it has is accepted
 */
export function openForSchema(path: string, lock: DatabaseLock): Database {
  const file = locateDatabase(path)
  if (!exists(file)) throw unused(file, 'does not exist')
  assertWritable(file)
  return connect(file, { timeout: busyTimeoutMs, fileMustExist: true }, (database) => {
    setCommon(database)
    database.pragma('synchronous = FULL')
    database.pragma('foreign_keys = ON')
    database.pragma('wal_autocheckpoint = 0')
    refuseUnused(database, file)
    refuseOther(database, lock)
    setWal(database)
    setCache(database, writerCacheKb)
  })
}

/**
 * Opens a connection that can only read. Beside a writer it sees each commit when its next statement begins.
 *
 * @throws PATH_INVALID when the file is missing, or no engine has opened it yet; otherwise as openWriter
 */
export function openReader(path: string): Database {
  const database = openAnySchema(path)
  try {
    migrationStatus(database, readMigrations())
    return database
  } catch (error) {
    database.close()
    throw fromSqliteError(error, database.name)
  }
}

/** The same for whoever only looks at the schema, and accepts any. @throws as openReader */
export function openAnySchema(path: string): Database {
  const file = locateDatabase(path)
  if (!exists(file)) throw unused(file, 'does not exist')
  return connect(file, { timeout: busyTimeoutMs, readonly: true, fileMustExist: true }, (database) => {
    setCommon(database)
    database.pragma('query_only = ON')
    refuseUnused(database, file)
    setCache(database, readerCacheKb)
  })
}

function refuseUnused(database: Database, file: string): void {
  const owner = identify(database, databaseMark)
  if (owner === 'foreign') throw foreign(file, 'is an SQLite database of another program')
  if (owner === 'empty') throw unused(file, 'is empty')
}

/**
 * Opens a connection that only moves pages from the WAL to the file. It never waits: a checkpoint that meets another
 * is left for the next time.
 *
 * @throws as openReader
 */
export function openCheckpointer(path: string): Database {
  const file = locateDatabase(path)
  if (!exists(file)) throw unused(file, 'does not exist')
  return connect(file, { timeout: 0, fileMustExist: true }, (database) => {
    setCommon(database)
    // What a checkpoint syncs is decided here, not on the writer: NORMAL syncs the WAL before and the file after it.
    database.pragma('synchronous = NORMAL')
    database.pragma('wal_autocheckpoint = 0')
    if (identify(database, databaseMark) !== 'ours') throw foreign(file, 'is not ours')
    setCache(database, checkpointerCacheKb)
  })
}

/**
 * What tells this database from every other; part of each job id.
 *
 * @throws DATABASE_CORRUPT when it is missing
 */
export function readDatabaseId(database: Database): DatabaseId {
  const id = findDatabaseId(database)
  if (typeof id === 'string') return toDatabaseId(id)
  throw engineError('DATABASE_CORRUPT', {
    found: `${database.name} has lost its id`,
    action: 'Restore a backup, or start with a new file.',
    details: { path: database.name },
  })
}

function findDatabaseId(database: Database): unknown {
  return database.prepare<[], unknown>("SELECT value FROM meta WHERE name = 'database_id'").pluck().get()
}

function connect(file: string, options: Connection.Options, prepare: (database: Database) => void): Database {
  let database: Database | undefined
  try {
    if (isSingleByte(file)) throw foreign(file, 'is a file of one byte')
    database = new Connection(file, options)
    assertVersion(database)
    prepare(database)
    return database
  } catch (error) {
    database?.close()
    // While the header is being read, this says that there is none: most likely another kind of file.
    if (sqliteCode(error) === 'SQLITE_NOTADB') {
      throw foreign(file, 'is not an SQLite database, or its header is damaged')
    }
    throw fromSqliteError(error, file)
  }
}

function assertVersion(database: Database): void {
  const text = String(database.prepare('SELECT sqlite_version()').pluck().get())
  const [major = 0, minor = 0, patch = 0] = text.split('.').map(Number)
  const [minimumMajor, minimumMinor, minimumPatch] = minimumSqlite
  const order = major - minimumMajor || minor - minimumMinor || patch - minimumPatch
  assert(order >= 0, `SQLite ${text} is ${minimumSqlite.join('.')} or later`)
}

function setCommon(database: Database): void {
  database.pragma('locking_mode = NORMAL')
  database.pragma('mmap_size = 0')
  database.pragma('temp_store = MEMORY')
}

/**
 * To be called once the file has been looked at. SQLite counts the cache in pages of the size that it knows at the moment,
 * which is 4 KB before that, and does not count again: it would hold twice as much as it was told.
 */
function setCache(database: Database, cacheKb: number): void {
  database.pragma(`cache_size = -${cacheKb}`)
}

/**
 * Gives an empty file what cannot be changed once it holds something. Death between two of these steps leaves a file
 * that is still empty, and the next opening begins again.
 */
function layOut(database: Database): void {
  // Left in WAL mode by somebody else, an empty file would keep its page size.
  if (readNumber(database, 'PRAGMA page_count') > 0) database.pragma('journal_mode = DELETE')
  database.pragma(`page_size = ${pageBytes}`)
  database.pragma('auto_vacuum = INCREMENTAL')
  if (readNumber(database, 'PRAGMA page_count') > 0) database.exec('VACUUM')
  database.pragma(`application_id = ${databaseMark}`)
  assert(readNumber(database, 'PRAGMA page_size') === pageBytes, 'a new database has our page size')
  assert(readNumber(database, 'PRAGMA auto_vacuum') === 2, 'a new database vacuums incrementally')
}

function setWal(database: Database): void {
  const mode = database.pragma('journal_mode = WAL', { simple: true })
  assert(mode === 'wal', `${database.name} is in WAL mode, not ${String(mode)}`)
}

function insertDatabaseId(database: Database): void {
  if (findDatabaseId(database) !== undefined) return
  const insert = database.prepare('INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)')
  database
    .transaction(() => {
      insert.run('database_id', newDatabaseId())
      insert.run('created_at', systemClock.wallMs())
    })
    .immediate()
}

function foreign(file: string, found: string): Error {
  return engineError('DATABASE_FOREIGN', {
    found: `${file} ${found}`,
    allowed: 'a database of this engine, an empty file, or a path where there is none yet',
    action: 'Choose another path; the file was not changed.',
    details: { path: file },
  })
}

function unused(file: string, found: string): Error {
  return engineError('PATH_INVALID', {
    found: `${file} ${found}`,
    action: 'Start an engine on it first, or correct the path.',
    details: { path: file },
  })
}
