/** Copies the files that jobs keep, their logs and artifacts, as they are at the moment. */
import {
  closeSync,
  constants,
  copyFileSync,
  type Dirent,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
} from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { toPlainError } from '../errors.ts'
import { isDatabaseFile, syncPlace } from './backup-target.ts'

export interface CopiedFiles {
  readonly files: number
  readonly bytes: number
}

/** What is being written is no job's yet. */
const leftOut = 'partial'

/**
 * Copies the folder, without what is neither a file nor a folder: links are not followed. What vanishes meanwhile is left
 * out, and so are names of the open database, should any be there. Makes no folder when there is none.
 *
 * @param database real path
 * @param endedBy asked before each file: whether to give up, and why
 * @throws what the file system throws
 */
export async function copyJobFiles(
  database: string,
  to: string,
  endedBy: () => Error | undefined,
): Promise<CopiedFiles> {
  const isOurs = isDatabaseFile(database)
  const total = { files: 0, bytes: 0 }
  const copyFolder = async (source: string, target: string, isTop: boolean): Promise<void> => {
    const entries = await openIfThere(source)
    if (entries === undefined) return
    mkdirSync(target)
    for await (const entry of entries) {
      const ended = endedBy()
      if (ended !== undefined) throw ended
      if (isTop && entry.name === leftOut) continue
      const [one, copy] = [join(source, entry.name), join(target, entry.name)]
      if (entry.isDirectory()) await copyFolder(one, copy, false)
      else if (entry.isFile() && !isOurs(one) && copyIfThere(one, copy)) {
        total.files++
        total.bytes += lstatSync(copy).size
      }
    }
    syncPlace(target)
  }
  // Nothing is written through a link in its place any more, but what is behind one may be of jobs that are there.
  await copyFolder(`${database}-files`, to, true)
  return total
}

/** What a copy of the folder would take; less where the disk copies by reference. */
export async function measureJobFiles(database: string, endedBy: () => Error | undefined): Promise<number> {
  let bytes = 0
  const measure = async (folder: string, isTop: boolean): Promise<void> => {
    for await (const entry of (await openIfThere(folder)) ?? []) {
      const ended = endedBy()
      if (ended !== undefined) throw ended
      if (isTop && entry.name === leftOut) continue
      const one = join(folder, entry.name)
      if (entry.isDirectory()) await measure(one, false)
      else if (entry.isFile()) bytes += lstatSync(one, { throwIfNoEntry: false })?.size ?? 0
    }
  }
  await measure(`${database}-files`, true)
  return bytes
}

async function openIfThere(folder: string): Promise<AsyncIterable<Dirent> | undefined> {
  try {
    return await opendir(folder)
  } catch (error) {
    if (toPlainError(error).code === 'ENOENT') return undefined
    throw error
  }
}

function copyIfThere(from: string, to: string): boolean {
  try {
    copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  } catch (error) {
    if (toPlainError(error).code === 'ENOENT') return false
    throw error
  }
  const descriptor = openSync(to, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  return true
}
