/** Reads a job's log while its thread may be writing it. */
import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { engineError, toPlainError } from '../errors.ts'
import type { JobFiles } from '../execution/job-files.ts'

/** How often the two files are opened anew, because the log went on in a new one meanwhile. */
const maxTries = 10

/**
 * The older lines and the newer ones, as one text; undefined when there are none.
 *
 * @throws PATH_INVALID
 */
export async function readJobLog({ log, olderLog }: JobFiles): Promise<string | undefined> {
  for (let tries = 1; ; tries++) {
    await using newer = await openIfThere(log)
    await using older = await openIfThere(olderLog)
    // Or lines would come twice, or be missed: the one was made the other between the two openings.
    const isMoved = newer !== undefined && (await inodeOf(log)) !== (await newer.stat()).ino
    if (isMoved && tries < maxTries) continue
    if (isMoved) return linesOf(newer)
    if (newer === undefined && older === undefined) return undefined
    return (await linesOf(older)) + (await linesOf(newer))
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    // A link is not followed: it could lead to the database, which must not be opened here.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw engineError('PATH_INVALID', {
      found: `${path} cannot be read: ${toPlainError(error).message}`,
      action: 'Correct the rights on it and on its folder.',
      details: { path },
      cause: error,
    })
  }
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function isMissing(error: unknown): boolean {
  const code = toPlainError(error).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** Whole lines only: the last one may be under way. */
async function linesOf(file: FileHandle | undefined): Promise<string> {
  const text = (await file?.readFile('utf8')) ?? ''
  return text.slice(0, text.lastIndexOf('\n') + 1)
}
