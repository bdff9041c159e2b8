import { isUtf8 } from 'node:buffer'
import { lstatSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { nextTurn } from '../clock.ts'
import { engineError } from '../errors.ts'
import { listWithGit } from './git-files.ts'
import { walkFiles } from './walk-files.ts'

/** A file that was found, as its folder entry describes it; it has not been opened. */
export interface FoundFile {
  /** Relative to the directory, with slashes. */
  readonly path: string
  readonly size: number
  readonly mtimeMs: number
}

export interface PathFailure {
  readonly path: string
  readonly reason: string
}

export interface Discovery {
  readonly files: readonly FoundFile[]
  /** Names that are not UTF-8: they cannot be told apart once they are text. */
  readonly unnameable: number
  /** Files and folders (these end in a slash) that could not be looked at. */
  readonly failures: readonly PathFailure[]
}

/** How many files are looked at before other work of the thread gets its turn: about 2 ms. */
const filesPerTurn = 500

/** Folders that are never indexed, wherever they stand. */
const ownFolders = /(?:^|\/)\.(?:git|semantica)(?:\/|$)/

/**
 * Finds the files of a directory as git does: tracked and untracked, not ignored. Without git, and when the directory
 * is itself ignored, it is walked with the same rules. Links are left out.
 *
 * @param stateFolder left out when it lies inside the directory: nobody but SQLite may open what is in there
 * @param signal ends the search; the promise rejects with its reason
 */
export async function discoverFiles(
  directory: string,
  stateFolder: string,
  signal?: AbortSignal,
): Promise<Discovery> {
  const inside = relative(directory, stateFolder).split(sep).join('/')
  const stateIsInside = inside !== '' && !inside.startsWith('..')
  const isOwn = (path: string) =>
    ownFolders.test(path) || (stateIsInside && (path === inside || path.startsWith(`${inside}/`)))

  const inodes = inodesIn(stateFolder)
  const listed = await listWithGit(directory, signal)
  // A Ctrl-C reaches git too, which is no reason to walk then.
  signal?.throwIfAborted()
  if (listed === undefined) {
    const walked = await walkFiles(directory, (path) => !isOwn(path), signal)
    return lookAt(
      directory,
      walked.paths,
      inodes,
      { unnameable: 0, failures: [...walked.unreadable] },
      signal,
    )
  }
  const paths: string[] = []
  let unnameable = 0
  for (const bytes of listed) {
    const path = bytes.toString('utf8')
    if (!isUtf8(bytes)) unnameable++
    else if (!isOwn(path)) paths.push(path)
  }
  return lookAt(directory, paths, inodes, { unnameable, failures: [] }, signal)
}

async function lookAt(
  directory: string,
  paths: readonly string[],
  ownInodes: ReadonlySet<string>,
  found: { unnameable: number; failures: PathFailure[] },
  signal: AbortSignal | undefined,
): Promise<Discovery> {
  const files: FoundFile[] = []
  let count = 0
  for (const path of paths) {
    if (++count % filesPerTurn === 0) {
      await nextTurn()
      signal?.throwIfAborted()
    }
    let stats: Stats | undefined
    try {
      stats = lstatSync(`${directory}/${path}`, { throwIfNoEntry: false })
    } catch (error) {
      found.failures.push({ path, reason: error instanceof Error ? error.message : String(error) })
      continue
    }
    if (stats === undefined) {
      // Deleted meanwhile; or a name that is not UTF-8, which no longer names its file once it is text.
      if (path.includes('\uFFFD')) found.unnameable++
    } else if (stats.isFile() && !(stats.nlink > 1 && ownInodes.has(inodeOf(stats)))) {
      files.push({ path, size: stats.size, mtimeMs: stats.mtimeMs })
    }
  }
  return { files, ...found }
}

/**
 * Who opens and closes a database by another name drops its locks for the whole process, so hard links to our own are
 * told by their inodes.
 */
function inodesIn(folder: string): ReadonlySet<string> {
  try {
    return new Set(readdirSync(folder).map((name) => inodeOf(lstatSync(join(folder, name)))))
  } catch {
    // No state folder yet, or a file in it has just gone.
    return new Set()
  }
}

function inodeOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`
}

/**
 * The real path of a directory that can be listed.
 *
 * @throws PATH_INVALID when it does not exist, is not a directory, or may not be read
 */
export function resolveDirectory(path: string): string {
  const absolute = resolve(path)
  try {
    const real = realpathSync(absolute)
    if (statSync(real).isDirectory()) return real
  } catch (error) {
    throw invalidDirectory(absolute, error instanceof Error ? error.message : String(error), error)
  }
  throw invalidDirectory(absolute, 'it is not a directory')
}

function invalidDirectory(path: string, reason: string, cause?: unknown): Error {
  return engineError('PATH_INVALID', {
    found: `${path} cannot be read as a directory: ${reason}`,
    allowed: 'a directory that exists and may be read',
    action: 'Name another directory, or correct its permissions.',
    details: { path },
    cause,
  })
}
