/**
 * What can be known about a database's place before SQLite opens it. Nothing here opens a file: when any descriptor of
 * a database is closed, the system drops every POSIX lock that this process has on it, also those of SQLite.
 */
import { accessSync, constants, lstatSync, readlinkSync, realpathSync, statfsSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { engineError } from '../errors.ts'

/**
 * Network file systems by the number that Linux's statfs gives. Their locks are missing, optional or slow to notice a
 * dead holder, and the WAL's shared memory does not reach another machine. Allowed on purpose: 9p, FUSE and overlay,
 * which containers and virtual machines use for local folders. Elsewhere than on Linux nothing is refused.
 */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x564c, 'NCP'],
  [0x73757245, 'Coda'],
  [0x5346414f, 'OpenAFS'],
  [0x6b414653, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
])

/** As many links as Linux itself follows before it calls them a loop. */
const maxLinks = 40

/**
 * The one real path of a database: symbolic links followed, also where the file does not exist yet.
 *
 * @throws PATH_INVALID when the folder is missing, or the path names something that cannot be a database
 * @throws FILE_SYSTEM_UNSUPPORTED on a network file system
 */
export function locateDatabase(path: string): string {
  if (path === '' || path === ':memory:' || path.includes('\0')) {
    throw invalid(
      JSON.stringify(path),
      'is not the path of a file',
      'Pass the path of a file on a local disk.',
    )
  }
  const file = followLinks(path)
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats !== undefined && !stats.isFile()) {
    throw stats.isDirectory()
      ? invalid(file, 'is a directory', `Pass the path of a file in it, such as ${join(file, 'tasks.db')}.`)
      : invalid(file, 'is not a regular file', 'Pass the path of a file on a local disk.')
  }
  // Each name of a file would get a lock and a WAL of its own.
  if (stats !== undefined && stats.nlink > 1) {
    throw invalid(file, `has ${stats.nlink} hard links`, 'Copy the file, and pass the path of the copy.')
  }
  refuseNetwork(dirname(file))
  return file
}

/**
 * Where the list of programs is kept that run for a database; see process-file.ts.
 *
 * @throws as locateDatabase
 */
export function processFilePath(database: string): string {
  return `${locateDatabase(database)}-processes.db`
}

/** @throws DATABASE_READ_ONLY when the file, or the folder where SQLite keeps its WAL, may not be written */
export function assertWritable(file: string): void {
  for (const place of [dirname(file), file]) {
    if (canWrite(place) || !exists(place)) continue
    throw engineError('DATABASE_READ_ONLY', {
      found: `${place} cannot be written by this user`,
      action: 'Give this user the right to write the file and its folder, or choose another path.',
      details: { path: file },
    })
  }
}

/** Asks the system, which also knows of read-only mounts. */
export function canWrite(place: string): boolean {
  try {
    accessSync(place, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Size of a file; 0 when there is none. */
export function bytesOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

/** What tells a file from every other, whatever its path; undefined when there is none. */
export function fileIdentity(file: string): string | undefined {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`
}

/** A file of a single byte, which SQLite takes for an empty one, and would overwrite. */
export function isSingleByte(file: string): boolean {
  return bytesOf(file) === 1
}

export function exists(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false }) !== undefined
}

/** The name of a network file system, by statfs's number of its type; undefined for all others. */
export function networkFileSystem(type: number): string | undefined {
  return networkFileSystems.get(type >>> 0)
}

function followLinks(path: string): string {
  let file = resolve(path)
  for (let links = 0; links < maxLinks; links += 1) {
    file = join(realFolder(dirname(file)), basename(file))
    const stats = readPlace(file, () => lstatSync(file, { throwIfNoEntry: false }))
    if (stats === undefined || !stats.isSymbolicLink()) return file
    file = resolve(dirname(file), readlinkSync(file))
  }
  throw invalid(path, 'is a loop of symbolic links', 'Pass the path of the file itself.')
}

function realFolder(folder: string): string {
  const real = readPlace(folder, () => realpathSync(folder))
  if (!statSync(real).isDirectory()) throw invalid(folder, 'is not a folder', 'Pass a path in a folder.')
  return real
}

function readPlace<T>(place: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') throw invalid(place, 'does not exist', `Create it first: mkdir -p '${place}'`)
    if (code === 'ENOTDIR') throw invalid(place, 'is not a folder', 'Pass a path in a folder.')
    const reason = error instanceof Error ? error.message : String(error)
    throw invalid(place, `cannot be read (${reason})`, 'Correct the path, or the rights on its folders.')
  }
}

function refuseNetwork(folder: string): void {
  if (process.platform !== 'linux') return
  const name = networkFileSystem(readPlace(folder, () => statfsSync(folder).type))
  if (name === undefined) return
  throw engineError('FILE_SYSTEM_UNSUPPORTED', {
    found: `${folder} lies on ${name}, where the locks of SQLite cannot be trusted`,
    allowed: 'a disk of this machine',
    action: 'Move the database to a local disk.',
    details: { path: folder, fileSystem: name },
  })
}

function invalid(path: string, found: string, action: string): Error {
  return engineError('PATH_INVALID', { found: `${path} ${found}`, action, details: { path } })
}
