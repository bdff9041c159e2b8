/**
 * Files that a job keeps. Each is written beside its place first and then moved there: whoever ends the thread leaves
 * the old one or the new one, never a part. A link in the way is replaced by the move, not followed.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, engineError, hasCode, toPlainError } from '../errors.ts'
import { summaryArtifact } from '../job/json.ts'
import type { JobFiles } from './job-files.ts'
import { makeJobFolder } from './job-folder.ts'
import type { Artifact } from './messages.ts'

/** What a handler gives as an artifact: the contents, or the file that has them. */
export type ArtifactData = string | Uint8Array | { readonly path: string }

const maxNameCharacters = 200
/** What file systems allow. */
const maxNameBytes = 255
const partBytes = 65_536

/** Files of a database that must not be opened: closing them would drop the locks that SQLite holds on them. */
const databaseFiles = ['', '-processes.db']
  .flatMap((name) => ['', '-wal', '-shm', '-journal'].map((ending) => name + ending))
  .concat('.lock', '.lock-journal')

/**
 * Writes one artifact of a job, in place of the one of the same name.
 *
 * @param database real path of the database
 * @throws ARTIFACT_INVALID, ARTIFACT_FAILED
 */
export function storeArtifact(
  database: string,
  files: JobFiles,
  name: unknown,
  data: unknown,
): Artifact & { readonly path: string } {
  checkName(name)
  const source = sourceOf(database, name, data)
  const path = join(files.artifacts, name)
  try {
    makeJobFolder(files.artifacts, 'ARTIFACT_INVALID')
    makeJobFolder(dirname(files.partial), 'ARTIFACT_INVALID')
    rmSync(files.partial, { force: true })
    if ('path' in source) copyWhole(source.path, files.partial)
    else writeFileSync(files.partial, source.contents, { flag: 'wx' })
    const bytes = lstatSync(files.partial).size
    renameSync(files.partial, path)
    return { name, bytes, path }
  } catch (error) {
    removeQuietly(files.partial)
    if (hasCode(error, 'ARTIFACT_INVALID')) throw error
    throw engineError('ARTIFACT_FAILED', {
      found: `${path} cannot be written: ${toPlainError(error).message}`,
      action: 'See that there is room, and that this user may write the folder.',
      details: { path },
      cause: error,
    })
  }
}

/**
 * A file that takes no room, as those of /proc and /sys, may hold less or more than the size that it tells, by which the
 * system's copy goes: it would be cut, or never end.
 */
function copyWhole(from: string, to: string): void {
  if (lstatSync(from).blocks > 0) copyFileSync(from, to, constants.COPYFILE_EXCL)
  else copyByReading(from, to)
}

function copyByReading(from: string, to: string): void {
  // What has nothing to say yet must not hold up the thread.
  const source = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const target = openSync(to, 'wx')
    try {
      const part = Buffer.alloc(partBytes)
      for (let bytes = readSync(source, part); bytes > 0; bytes = readSync(source, part))
        for (let written = 0; written < bytes; ) written += writeSync(target, part, written, bytes - written)
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

/** Never throws: what is left takes room until it is pruned, and is listed no more. Nothing is removed behind a link. */
export function removeArtifact(files: JobFiles, name: string): void {
  try {
    for (const folder of [dirname(files.artifacts), files.artifacts])
      if (!lstatSync(folder).isDirectory()) return
    rmSync(join(files.artifacts, name), { force: true })
  } catch {}
}

/** What is left of it takes room that may be what was missing. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {}
}

function checkName(name: unknown): asserts name is string {
  if (
    typeof name === 'string' &&
    name.length >= 1 &&
    name.length <= maxNameCharacters &&
    !/[/\\\0]/.test(name) &&
    name !== '.' &&
    name !== '..' &&
    name.isWellFormed() &&
    Buffer.byteLength(name) <= maxNameBytes
  )
    return
  throw invalidName(name)
}

export function invalidName(name: unknown): Error {
  return engineError('ARTIFACT_INVALID', {
    found: `The name of an artifact is ${describe(name)}`,
    allowed: `1 to ${maxNameCharacters} characters of a file name: no path separator, and not ".", ".." or ${describe(summaryArtifact)}, which is that of a long summary`,
    action: 'Give it a name of its own within the folder of its job.',
  })
}

type Source = { readonly contents: string | Uint8Array } | { readonly path: string }

function sourceOf(database: string, name: string, data: unknown): Source {
  if (typeof data === 'string' || data instanceof Uint8Array) return { contents: data }
  const path = typeof data === 'object' && data !== null && 'path' in data ? data.path : undefined
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw invalidData(name, describe(data), 'a string, a Uint8Array, or { path } of a file')
  const file = resolve(path)
  // Looked at without being opened: see databaseFiles.
  const stats = lookAt(file)
  if (stats === undefined) throw invalidData(name, `${file}, which cannot be found`, 'the path of a file')
  if (!stats.isFile())
    throw invalidData(
      name,
      `${file}, which is ${stats.isSymbolicLink() ? 'a link' : 'not a file'}`,
      'the path of a file itself',
    )
  for (const ending of databaseFiles) {
    const other = statSync(`${database}${ending}`, { bigint: true, throwIfNoEntry: false })
    if (other !== undefined && other.ino === stats.ino && other.dev === stats.dev)
      throw invalidData(name, `${file}, a file of the open database`, 'any other file')
  }
  return { path: file }
}

function lookAt(file: string): BigIntStats | undefined {
  try {
    return lstatSync(file, { bigint: true })
  } catch {
    return undefined
  }
}

function invalidData(name: string, found: string, allowed: string): Error {
  return engineError('ARTIFACT_INVALID', {
    found: `The artifact ${JSON.stringify(name)} is ${found}`,
    allowed,
    action: 'Correct it.',
  })
}
