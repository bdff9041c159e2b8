/**
 * One engine to a database.
 *
 * `<database>.lock` is a small SQLite file in DELETE mode. Whoever wants the database writes its name there, commits,
 * and then holds BEGIN IMMEDIATE for life: that keeps other writers out and lets everybody read the name. The system
 * drops the lock with the process or the thread that held it, however it died; the file and the name stay, and mean
 * nothing then. So a lock file is never removed: two programs could come to hold two files of the same path. Where a
 * user does it, the note in the database answers; see holder-note.ts.
 *
 * Between the commit and the second BEGIN there is a gap in which another may do the same. The rule is that the last
 * name written wins: who finds another's name at its second BEGIN gives way to it. Each candidate writes its name only
 * while nobody holds the lock, so one of them finds its own.
 *
 * SQLite keeps one list of the locks of a process, for all threads that use the same copy of its library. A second
 * copy of the package brings a second list, and POSIX locks do not stop a process from taking them twice: the
 * registry below answers for those in one thread. Two copies in two threads of one process are beyond it.
 */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { basename } from 'node:path'
import Connection, { type Database } from 'better-sqlite3'
import { systemClock } from '../clock.ts'
import { assert, engineError, hasCode } from '../errors.ts'
import { fromSqliteError, sqliteCode } from './database-errors.ts'
import {
  assertWritable,
  canWrite,
  exists,
  fileIdentity,
  isSingleByte,
  locateDatabase,
} from './file-system.ts'
import { identify, lockMark } from './mark.ts'

export interface LockHolder {
  readonly pid: number
  readonly host: string
  /** Wall time at which the lock was taken, in milliseconds since the epoch. */
  readonly since: number
  /** File name of the script that runs. */
  readonly program: string
}

interface HolderRow extends LockHolder {
  /** Tells one candidate from another of the same process. */
  readonly token: string
}

/** How long one statement waits, so that who only looks at the lock for a moment refuses nobody. */
const busyTimeoutMs = 50
/** How often a candidate that was kept out, and cannot tell by whom yet, asks again. */
const maxAttempts = 10

interface HeldLock {
  readonly holder: LockHolder
  /** Keeps the connection from being collected as garbage, which would close it and so give the lock away. */
  readonly connection: Database
}

const registryKey = Symbol.for('semantica-task-engine.locks')

/** By the real path of the database. Shared by all copies of this package in the thread. */
function registry(): Map<string, HeldLock> {
  // The boundary where a value of the global object gets its type: all copies of this package put the same there.
  const shared = globalThis as { [registryKey]?: Map<string, HeldLock> }
  shared[registryKey] ??= new Map()
  return shared[registryKey]
}

export class DatabaseLock {
  readonly holder: LockHolder
  /** Which file is locked; undefined when it was removed at once. */
  readonly file: string | undefined
  readonly #path: string

  private constructor(path: string, holder: LockHolder) {
    this.#path = path
    this.file = fileIdentity(lockFileOf(path))
    this.holder = holder
  }

  /**
   * Takes the lock, or fails: after a tenth of a second where somebody holds it, after half a second at the worst.
   *
   * @param program what to call the holder; by default the script that the process runs. In a worker thread that is the
   *   thread's entry: pass the name that the main thread knows.
   * @throws DATABASE_LOCKED naming the process that has it, its program and since when
   * @throws DATABASE_FOREIGN, DATABASE_CORRUPT when `<database>.lock` is something else
   * @throws PATH_INVALID, FILE_SYSTEM_UNSUPPORTED, DATABASE_READ_ONLY, DISK_FULL, DATABASE_FAILED
   */
  static acquire(databasePath: string, program = currentProgram()): DatabaseLock {
    const path = locateDatabase(databasePath)
    const held = registry().get(path)
    if (held !== undefined) throw lockedBy(path, held.holder)
    assertWritable(path)
    const holder = { pid: process.pid, host: hostname(), since: systemClock.wallMs(), program }
    const connection = openLockFile(lockFileOf(path))
    try {
      hold(connection, path, { ...holder, token: randomUUID() })
    } catch (error) {
      connection.close()
      throw fromSqliteError(error, lockFileOf(path))
    }
    registry().set(path, { holder, connection })
    return new DatabaseLock(path, holder)
  }

  /** Gives the lock back. Further calls do nothing. */
  release(): void {
    const held = registry().get(this.#path)
    if (held?.holder !== this.holder) return
    registry().delete(this.#path)
    held.connection.close()
  }
}

/**
 * Who has the database open; undefined when nobody has. Where the lock file cannot be written, the answer is who had
 * it last.
 *
 * @throws PATH_INVALID, FILE_SYSTEM_UNSUPPORTED, DATABASE_FOREIGN, DATABASE_CORRUPT, DATABASE_FAILED
 */
export function readLockHolder(databasePath: string): LockHolder | undefined {
  const path = locateDatabase(databasePath)
  const file = lockFileOf(path)
  const held = registry().get(path)
  if (held !== undefined) return held.holder
  if (!exists(file)) return undefined
  const connection = openLockFile(file)
  try {
    if (canWrite(file) && begin(connection)) return undefined
    const row = readRow(connection)
    return row === undefined ? undefined : withoutToken(row)
  } catch (error) {
    throw fromSqliteError(error, file)
  } finally {
    connection.close()
  }
}

function hold(connection: Database, path: string, candidate: HolderRow): void {
  let lastToken: string | undefined
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    if (begin(connection) && writeRow(connection, candidate) && begin(connection)) {
      if (readRow(connection)?.token === candidate.token) return
      connection.exec('ROLLBACK')
    }
    // A journal is there only while somebody writes a name, which will be another one than can be read now. The same
    // name twice, with the lock refused in between, is that of the holder.
    const row = exists(`${lockFileOf(path)}-journal`) ? undefined : readRow(connection)
    const isOther = row !== undefined && row.token !== candidate.token
    if (isOther && row.token === lastToken) throw lockedBy(path, withoutToken(row))
    lastToken = row?.token
  }
  throw lockedBy(path, undefined)
}

function begin(connection: Database): boolean {
  return unlessBusy(() => connection.exec('BEGIN IMMEDIATE')) !== undefined
}

/** Ends the transaction that it finds. False when a reader kept it from committing all the while. */
function writeRow(connection: Database, row: HolderRow): boolean {
  assert(connection.inTransaction, 'the name of the holder is written under the lock')
  connection.exec(`CREATE TABLE IF NOT EXISTS holder (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    since INTEGER NOT NULL,
    program TEXT NOT NULL,
    token TEXT NOT NULL
  ) STRICT`)
  connection.pragma(`application_id = ${lockMark}`)
  connection
    .prepare('INSERT OR REPLACE INTO holder (id, pid, host, since, program, token) VALUES (1, ?, ?, ?, ?, ?)')
    .run(row.pid, row.host, row.since, row.program, row.token)
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    if (unlessBusy(() => connection.exec('COMMIT')) !== undefined) return true
  }
  connection.exec('ROLLBACK')
  return false
}

function readRow(connection: Database): HolderRow | undefined {
  return unlessBusy(() => {
    const tables = connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'holder'").all()
    if (tables.length === 0) return undefined
    return connection.prepare<[], HolderRow>('SELECT pid, host, since, program, token FROM holder').get()
  })
}

function unlessBusy<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    if (sqliteCode(error)?.startsWith('SQLITE_BUSY') === true) return undefined
    throw error
  }
}

/** Even a look at the file is refused for a moment while somebody commits a name. */
function openLockFile(file: string): Database {
  for (let attempt = 1; attempt < maxAttempts; attempt += 1) {
    const connection = unlessLocked(() => openLockFileOnce(file))
    if (connection !== undefined) return connection
  }
  return openLockFileOnce(file)
}

function unlessLocked<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    if (hasCode(error, 'DATABASE_LOCKED')) return undefined
    throw error
  }
}

function openLockFileOnce(file: string): Database {
  let connection: Database | undefined
  try {
    if (isSingleByte(file)) throw notALock(file)
    connection = new Connection(file, { timeout: busyTimeoutMs })
    const owner = identify(connection, lockMark)
    if (owner === 'foreign') throw notALock(file)
    connection.pragma('journal_mode = DELETE')
    connection.pragma('locking_mode = NORMAL')
    connection.pragma('synchronous = FULL')
    return connection
  } catch (error) {
    connection?.close()
    if (sqliteCode(error) === 'SQLITE_NOTADB') throw notALock(file)
    throw fromSqliteError(error, file)
  }
}

function lockFileOf(path: string): string {
  return `${path}.lock`
}

function currentProgram(): string {
  return basename(process.argv[1] ?? process.execPath)
}

function withoutToken({ pid, host, since, program }: HolderRow): LockHolder {
  return { pid, host, since, program }
}

/** @param isRemoved it lives, but somebody took its lock file away */
export function lockedBy(path: string, holder: LockHolder | undefined, isRemoved = false): Error {
  const who =
    holder === undefined
      ? 'a process that has not written its name'
      : `${holder.program}, process ${holder.pid} on ${holder.host}, since ${new Date(holder.since).toISOString()}`
  return engineError('DATABASE_LOCKED', {
    found: `${path} is open in ${who}${isRemoved ? `; its lock file ${lockFileOf(path)} was removed` : ''}`,
    allowed: 'one engine to a database',
    action: `Stop that one first, or use another database.${isRemoved ? ' Leave the lock file: after a stop it means nothing.' : ''}`,
    details: holder === undefined ? { path } : { path, holder },
  })
}

function notALock(file: string): Error {
  return engineError('DATABASE_FOREIGN', {
    found: `${file} is not a lock file of this engine`,
    action: 'Make sure that no engine has the database open, then remove the file.',
    details: { path: file },
  })
}
