/** Reads a job's log while its thread may be writing it, and its program what it has to say. */
import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { engineError, type PlainError, toPlainError } from '../errors.ts'
import type { JobFiles } from '../execution/job-files.ts'

/** How often files are read anew, because they were begun anew meanwhile. */
const maxTries = 10
/** A link is not followed: it could lead to the database, which must not be opened here. A pipe is not waited for. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * The lines that its handlers logged, then those that its program wrote, stream after stream; undefined when there are
 * none. Which of a program's two streams said something first is not known.
 *
 * @throws PATH_INVALID
 */
export async function readJobLog(files: JobFiles): Promise<string | undefined> {
  const parts = [
    await readLogged(files),
    await readOutput('stdout', files.outputs.stdout),
    await readOutput('stderr', files.outputs.stderr),
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? undefined : parts.join('')
}

export interface LogFile {
  /** What it holds: lines of handlers, or what a program wrote to one of its outputs. */
  readonly kind: 'log' | 'older log' | 'stdout' | 'stderr'
  readonly path: string
  readonly bytes: number
}

export interface LogFiles {
  readonly files: readonly LogFile[]
  /** Why there may be others, at which this user may not look (PATH_INVALID). */
  readonly failure: PlainError | undefined
}

/** The files that `readJobLog` reads, as far as they are there. */
export async function findLogFiles({ log, olderLog, outputs }: JobFiles): Promise<LogFiles> {
  const places = [
    ['older log', olderLog],
    ['log', log],
    ['stdout', outputs.stdout],
    ['stderr', outputs.stderr],
  ] as const
  const files: LogFile[] = []
  let failure: PlainError | undefined
  for (const [kind, path] of places) {
    try {
      const stats = await look(path)
      if (stats !== undefined) files.push({ kind, path, bytes: stats.size })
    } catch (error) {
      failure ??= toPlainError(error)
    }
  }
  return { files, failure }
}

/** The older lines and the newer ones, as one text. */
async function readLogged({ log, olderLog }: JobFiles): Promise<string | undefined> {
  for (let tries = 1; ; tries++) {
    await using newer = await openIfThere(log)
    await using older = await openIfThere(olderLog)
    // Or lines would come twice, or be missed: the one was made the other between the two openings.
    const isMoved = newer !== undefined && (await look(log))?.ino !== (await newer.stat()).ino
    if (isMoved && tries < maxTries) continue
    if (isMoved) return wholeLinesOf(newer, log)
    if (newer === undefined && older === undefined) return undefined
    return (await wholeLinesOf(older, olderLog)) + (await wholeLinesOf(newer, log))
  }
}

/** The last line may be under way. */
async function wholeLinesOf(file: FileHandle | undefined, path: string): Promise<string> {
  const text = file === undefined ? '' : (await textOf(file, path)).toString('utf8')
  return text.slice(0, text.lastIndexOf('\n') + 1)
}

/** A program may leave its last line without an end. */
async function readOutput(stream: string, path: string): Promise<string | undefined> {
  for (let tries = 1; ; tries++) {
    await using file = await openIfThere(path)
    if (file === undefined) return undefined
    const bytes = await textOf(file, path)
    const { size } = await file.stat()
    // Begun anew while it was read. It is never empty for longer than that takes.
    if ((size === 0 || size < bytes.length) && tries < maxTries) continue
    // What it begins and ends with may be parts of a character.
    const text = bytes.toString('utf8').replace(/^\uFFFD+|\uFFFD+$/g, '')
    if (text === '') return undefined
    return text
      .replace(/\n$/, '')
      .split('\n')
      .map((message) => `${JSON.stringify({ stream, message })}\n`)
      .join('')
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  const before = await look(path)
  if (before === undefined) return undefined
  assertOwn(path, before)
  const file = await open(path, openFlags).catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw unreadable(path, error)
  })
  try {
    if (file !== undefined) assertOwn(path, await file.stat())
    return file
  } catch (error) {
    await file?.close()
    throw error
  }
}

/** @throws PATH_INVALID */
async function look(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw unreadable(path, error)
  }
}

function textOf(file: FileHandle, path: string): Promise<Buffer> {
  return file.readFile().catch((error: unknown) => {
    throw unreadable(path, error)
  })
}

function assertOwn(path: string, stats: Stats): void {
  const found = stats.isSymbolicLink()
    ? 'a link'
    : stats.isDirectory()
      ? 'a folder'
      : stats.isFile()
        ? stats.nlink > 1 && 'a file with other names'
        : 'not a file'
  if (found === false) return
  throw engineError('PATH_INVALID', {
    found: `${path} is ${found}`,
    allowed: 'a file that the engine has made',
    action: 'Remove what is in its place.',
    details: { path },
  })
}

function unreadable(path: string, cause: unknown): Error {
  const { code, message } = toPlainError(cause)
  return engineError('PATH_INVALID', {
    found: `${path} cannot be read: ${message}`,
    action:
      code === 'EACCES' || code === 'EPERM'
        ? 'Correct the rights on it and on its folder.'
        : 'Look at what is in its place, and at the disk.',
    details: { path },
    cause,
  })
}

function isMissing(error: unknown): boolean {
  const code = toPlainError(error).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}
