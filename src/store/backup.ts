/**
 * Copies a database while its engine goes on writing.
 *
 * A reader's snapshot is held for the time of the copy, and pages are copied a slice at a time. The writer is not held up
 * by that, but its WAL cannot begin anew meanwhile: it grows by what is written during the copy, which for a file of a
 * gigabyte are seconds. So the copy makes no pauses, and gives to the disk as it goes: at the end of SQLite's own copy,
 * while the snapshot is still held, little is left to be waited for. Afterwards the next checkpoints cut the WAL. One that
 * grows beyond all bounds, because the disk of the copy is slower than the writer, ends the backup instead.
 */
import { closeSync, fdatasyncSync, fsyncSync, openSync, statSync } from 'node:fs'
import { type Clock, systemClock } from '../clock.ts'
import { engineError, SemanticaError, toPlainError } from '../errors.ts'
import { copyJobFiles, measureJobFiles } from './backup-files.ts'
import {
  assertRoom,
  type BackupTarget,
  locateTarget,
  moveIntoPlace,
  noRoom,
  removePartial,
} from './backup-target.ts'
import { fromSqliteError, sqliteCode } from './database-errors.ts'
import { readNumber } from './mark.ts'
import type { BackupReport, BackupRequest } from './messages.ts'
import { type Database, openReader, pageBytes } from './open.ts'

/** 2 MB: some milliseconds. */
const pagesPerSlice = 256
/** What the WAL may grow to meanwhile, if that is more than the database itself. */
const usualMaxWalBytes = 1_000_000_000
/** Pages after which the disk is made to keep what it was given. */
const pagesPerSync = 8_192

export interface BackupSurroundings {
  readonly clock?: Clock
  /** Asked before each slice: whether the backup is to be given up, and why. */
  readonly endedBy?: () => Error | undefined
  /** Size of the WAL at which it is given up. Default: that of the database, but at least 1 GB. */
  readonly maxWalBytes?: number
  /** Told before each slice. Never more than 1. */
  readonly onProgress?: (fraction: number) => void
}

/**
 * Copies the database at `path` to a new file: all that is committed when the call begins, as it is at one instant.
 * Needs no lock, and works beside an engine in any process.
 *
 * @throws PATH_INVALID, BACKUP_TARGET_EXISTS, DISK_FULL, BACKUP_FAILED, DATABASE_CORRUPT, and what opening a reader throws
 */
export async function backUp(
  path: string,
  request: BackupRequest,
  {
    clock = systemClock,
    endedBy = () => undefined,
    onProgress = () => {},
    maxWalBytes,
  }: BackupSurroundings = {},
): Promise<BackupReport> {
  const startedMs = clock.monotonicMs()
  const reader = openReader(path)
  let target: BackupTarget | undefined
  try {
    target = locateTarget(reader.name, request.target, request.files)
    const databaseBytes = readNumber(reader, 'PRAGMA page_count') * pageBytes
    const filesBytes = request.files ? await measureJobFiles(reader.name, endedBy) : 0
    assertRoom(target, reader.name, databaseBytes + filesBytes)
    const mostWalBytes = maxWalBytes ?? Math.max(usualMaxWalBytes, databaseBytes)
    await copyPages(reader, target.partial, (fraction) => {
      const ended = endedBy()
      if (ended !== undefined) throw ended
      refuseLongWal(reader.name, mostWalBytes)
      onProgress(fraction)
    })
    const bytes = statSync(target.partial).size
    const copied = request.files
      ? await copyJobFiles(reader.name, `${target.partial}-files`, endedBy)
      : { files: 0, bytes: 0 }
    moveIntoPlace(target, copied.files > 0)
    return {
      path: target.path,
      bytes,
      files: copied.files,
      filesBytes: copied.bytes,
      elapsedMs: clock.monotonicMs() - startedMs,
    }
  } catch (error) {
    throw toBackupError(error, reader.name, target?.path ?? request.target)
  } finally {
    if (target !== undefined) removePartial(target)
    reader.close()
  }
}

function refuseLongWal(database: string, mostBytes: number): void {
  // Looked at, and never opened: to close it would drop the locks of SQLite.
  const bytes = statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0
  if (bytes <= mostBytes) return
  throw engineError('BACKUP_FAILED', {
    found: `The WAL of ${database} has grown to ${bytes.toLocaleString('en')} bytes during the backup`,
    allowed: `${mostBytes.toLocaleString('en')} bytes: the disk of the copy is slower than what is written meanwhile`,
    action: 'Nothing is left of it. Choose a faster disk, or a quieter hour.',
    details: { path: database },
  })
}

async function copyPages(
  reader: Database,
  partial: string,
  beforeSlice: (fraction: number) => void,
): Promise<void> {
  // A look inside of a transaction makes the snapshot. Without one each commit of the writer would begin the copy anew.
  reader.exec('BEGIN')
  readNumber(reader, 'SELECT count(*) FROM sqlite_schema')
  let descriptor: number | undefined
  let syncedPages = 0
  try {
    await reader.backup(partial, {
      progress({ totalPages, remainingPages }) {
        const pages = totalPages - remainingPages
        beforeSlice(totalPages === 0 ? 0 : pages / totalPages)
        // Open to the end: to close any descriptor of the file drops the locks that SQLite has on it.
        descriptor ??= openSync(partial, 'r')
        if (pages - syncedPages >= pagesPerSync) {
          fdatasyncSync(descriptor)
          syncedPages = pages
        }
        return pagesPerSlice
      },
    })
    reader.exec('COMMIT')
    descriptor ??= openSync(partial, 'r')
    fsyncSync(descriptor)
  } finally {
    if (reader.inTransaction) reader.exec('ROLLBACK')
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

function toBackupError(error: unknown, database: string, target: string): Error {
  if (error instanceof SemanticaError) return error
  const code = sqliteCode(error) ?? ''
  if (/^(?:SQLITE_FULL|ENOSPC|EDQUOT)/.test(code)) return noRoom(target, toPlainError(error).message)
  if (/^SQLITE_(?:CORRUPT|NOTADB)/.test(code)) return fromSqliteError(error, database)
  return engineError('BACKUP_FAILED', {
    found: `The backup ${target} of ${database} cannot be written: ${toPlainError(error).message}`,
    action: 'Nothing is left of it. See that this user may write its folder, and try again.',
    details: { path: target, ...(code === '' ? {} : { cause: code }) },
    cause: error,
  })
}
