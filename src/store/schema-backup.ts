/**
 * The copy that is taken before the schema changes, beside the database: `<database>.schema-<version>.<time>.backup`. It
 * is a database of its own, without free pages, and every page that holds something was read for it: damage is found
 * before anything is changed. It is removed when the change fails, which leaves the database as the copy is: whoever is
 * started again and again must not fill the disk. Otherwise the engine never removes it.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Database } from 'better-sqlite3'
import { systemClock } from '../clock.ts'
import { engineError } from '../errors.ts'
import { fromSqliteError, sqliteCode } from './database-errors.ts'
import { exists } from './file-system.ts'
import { readNumber } from './mark.ts'

/**
 * Takes about as long as reading and writing the file once. The caller holds the DatabaseLock.
 *
 * @returns path of the copy, which is on the disk
 * @throws DISK_FULL, also when there clearly would not be room; DATABASE_CORRUPT, DATABASE_FAILED. Nothing is left of it then
 */
export function backUpSchema(database: Database, version: number): string {
  const path = freeName(`${database.name}.schema-${version}.${timeInName(systemClock.wallMs())}`)
  const partial = `${path}.partial`
  removeLeftovers(database.name)
  assertRoom(database, path)
  try {
    // Made before, so that nobody can read the copy who could not read the database.
    closeSync(openSync(partial, 'wx', statSync(database.name).mode & 0o777))
    database.prepare('VACUUM INTO ?').run(partial)
    sync(partial)
    renameSync(partial, path)
    sync(dirname(path))
    return path
  } catch (error) {
    rmSync(partial, { force: true })
    if (sqliteCode(error) === 'SQLITE_FULL') throw noRoom(path)
    throw fromSqliteError(error, database.name)
  }
}

/** Makes the change that the copy was taken for. @param removed told after a change that failed */
export function changeBackedUp(backup: string | undefined, change: () => void, removed = () => {}): void {
  try {
    change()
  } catch (error) {
    if (backup !== undefined && isRemoved(backup)) removed()
    throw error
  }
}

/** A copy that cannot be removed is no reason to hide why the change failed. */
function isRemoved(path: string): boolean {
  try {
    rmSync(path)
    return true
  } catch {
    return false
  }
}

/** What a process that died in the middle of a copy has left. Nobody else makes one now. */
function removeLeftovers(database: string): void {
  const begin = `${basename(database)}.schema-`
  const isLeftover = (name: string) => name.startsWith(begin) && /\.backup\.partial(?:-journal)?$/.test(name)
  const folder = dirname(database)
  for (const name of readdirSync(folder)) if (isLeftover(name)) rmSync(join(folder, name), { force: true })
}

/** Two changes within a second must not share a name. */
function freeName(begin: string): string {
  for (let count = 1; ; count += 1) {
    const path = count === 1 ? `${begin}.backup` : `${begin}.${count}.backup`
    if (!exists(path)) return path
  }
}

function timeInName(wallMs: number): string {
  return new Date(wallMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

function assertRoom(database: Database, path: string): void {
  const pages = readNumber(database, 'PRAGMA page_count') - readNumber(database, 'PRAGMA freelist_count')
  const { bavail, bsize } = statfsSync(dirname(path))
  if (bavail * bsize < pages * readNumber(database, 'PRAGMA page_size')) throw noRoom(path)
}

function noRoom(path: string): Error {
  return engineError('DISK_FULL', {
    found: `There is no space left for the backup ${path}, which is taken before the schema changes`,
    action:
      'Nothing was changed. Free space on its disk, or go on without: --no-backup, or upgradeBackup: false.',
    details: { path },
  })
}

function sync(place: string): void {
  const descriptor = openSync(place, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
