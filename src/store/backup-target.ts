/**
 * Where a backup goes: beside its place first, under a name of its own, and moved there when it is whole and on the disk.
 * A crash at any instant leaves under the final name nothing, or all of it.
 */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { engineError, toPlainError } from '../errors.ts'
import { leaveNote, ownMaker, removeLeavings, removeNote } from './backup-leavings.ts'

/** What lies, or may come to lie, beside a database under a name of its own; '' is the database itself. */
const databaseEndings = [
  '',
  '-wal',
  '-shm',
  '-journal',
  '.lock',
  '.lock-journal',
  '-processes.db',
  '-processes.db-wal',
  '-processes.db-shm',
] as const
/** What SQLite would take for a part of the copy, were it left there by a database of the same name. */
const strayEndings = ['-wal', '-journal', '-shm'] as const

export interface BackupTarget {
  /** Real path of the final name. */
  readonly path: string
  readonly partial: string
}

/** Room that the engine has to have beside the copy: what its WAL may take until it is cleared, twice. */
const reserveBytes = 64_000_000

/**
 * Removes too what a backup to the same name has left whose process was killed.
 *
 * @param database real path of the database
 * @param filesWanted whether the files of its jobs go along, to `<path>-files`
 * @throws PATH_INVALID, BACKUP_TARGET_EXISTS
 */
export function locateTarget(database: string, path: string, filesWanted: boolean): BackupTarget {
  if (path === '' || path.includes('\0')) throw invalid(JSON.stringify(path), 'is not the path of a file')
  const target = join(realFolder(dirname(resolve(path))), basename(resolve(path)))
  const own = databaseEndings.find((ending) => target === `${database}${ending}`)
  if (own !== undefined || target.startsWith(`${database}-files${sep}`) || target === `${database}-files`)
    throw invalid(target, own === '' ? 'is the database itself' : 'belongs to the database itself')
  removeLeavings(target)
  for (const ending of ['', ...strayEndings, ...(filesWanted ? ['-files'] : [])])
    refuseExisting(`${target}${ending}`)
  return { path: target, partial: `${target}.partial-${ownMaker()}-${randomUUID().slice(0, 8)}` }
}

/**
 * @param bytes what the copy will take
 * @throws DISK_FULL: a copy that fills the disk of the database would stop its engine
 */
export function assertRoom({ path }: BackupTarget, database: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(dirname(path))
  const isSameDisk = statSync(dirname(path)).dev === statSync(dirname(database)).dev
  const reserve = isSameDisk ? reserveBytes : 0
  if (bavail * bsize >= bytes + reserve) return
  const beside = isSameDisk ? `, beside ${reserve.toLocaleString('en')} for the engine` : ''
  const free = (bavail * bsize).toLocaleString('en')
  throw noRoom(path, `it takes ${bytes.toLocaleString('en')} bytes${beside}, and ${free} are free`)
}

export function noRoom(path: string, why: string): Error {
  return engineError('DISK_FULL', {
    found: `There is no space left for the backup ${path}: ${why}`,
    action: 'Nothing is left of it. Free space on its disk, or choose another.',
    details: { path },
  })
}

/**
 * Gives the copy its final names, durably: the files of the jobs first, since a copy of the database that can be seen is
 * to have them.
 *
 * @throws BACKUP_TARGET_EXISTS when one was taken meanwhile; then neither is there
 */
export function moveIntoPlace({ path, partial }: BackupTarget, hasFiles: boolean): void {
  if (!hasFiles) {
    moveFile(partial, path)
    return
  }
  const [files, partialFiles] = [`${path}-files`, `${partial}-files`]
  leaveNote(partialFiles)
  refuseExisting(files)
  renameSync(partialFiles, files)
  try {
    moveFile(partial, path)
  } catch (error) {
    renameSync(files, partialFiles)
    throw error
  }
  removeNote(files)
}

/** By a second name, which unlike a move cannot replace what has come to be there. */
function moveFile(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch (error) {
    const { code = '' } = toPlainError(error)
    refuseExisting(to)
    // Some file systems have one name for each file.
    if (!/^(?:EPERM|ENOTSUP|EOPNOTSUPP|ENOSYS)$/.test(code)) throw error
    renameSync(from, to)
  }
  rmSync(from, { force: true })
  syncPlace(dirname(to))
}

/** Has the disk keep what the file, or the list of the folder, holds now. */
export function syncPlace(place: string): void {
  const descriptor = openSync(place, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Tells the files of the database from all others, without opening any: to close one drops the locks of SQLite on it. */
export function isDatabaseFile(database: string): (path: string) => boolean {
  const own = new Set(databaseEndings.flatMap((ending) => identityOf(`${database}${ending}`) ?? []))
  return (path) => own.has(identityOf(path) ?? '')
}

function identityOf(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false, bigint: true })
  return found === undefined ? undefined : `${found.dev}:${found.ino}`
}

export function removePartial({ partial }: BackupTarget): void {
  for (const ending of ['', '-journal', '-files'])
    rmSync(`${partial}${ending}`, { recursive: true, force: true })
}

function realFolder(folder: string): string {
  try {
    const real = realpathSync(folder)
    if (statSync(real).isDirectory()) return real
  } catch (error) {
    throw invalid(
      folder,
      `is no folder that can be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  throw invalid(folder, 'is not a folder')
}

function refuseExisting(path: string): void {
  // A link that leads nowhere counts: the move would replace it.
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return
  throw engineError('BACKUP_TARGET_EXISTS', {
    found: `${path} exists already`,
    allowed: 'a name that is not taken',
    action: 'Choose another name, or move it away; nothing was written.',
    details: { path },
  })
}

function invalid(path: string, found: string): Error {
  return engineError('PATH_INVALID', {
    found: `${path} ${found}`,
    allowed: 'the path of a new file, in a folder that exists',
    action: 'Correct the path of the backup; nothing was written.',
    details: { path },
  })
}
