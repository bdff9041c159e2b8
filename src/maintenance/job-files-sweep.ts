/**
 * Deletes the files of jobs that are not there any more: their logs, the outputs of their programs, their artifacts. It
 * looks at the files, and not at the jobs: most jobs have none, and a file that a dead process left behind is found too.
 *
 * Only what bears the id of a job of this database is touched, and only in folders that are no links.
 */
import type { Dir } from 'node:fs'
import { lstat, opendir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { engineError, hasCode, toPlainError } from '../errors.ts'
import { jobFileFolders } from '../execution/job-files.ts'
import { decodeJobId } from '../job/id.ts'
import type { DutySurroundings } from './duty.ts'

/** Entries of one slice. */
const entriesPerSlice = 200

export class JobFilesSweep {
  readonly #surroundings: DutySurroundings
  readonly #folders: string[]
  readonly #jobFind: { get(seq: number): unknown }
  #open: Dir | undefined
  examined = 0
  deletedBytes = 0

  constructor(surroundings: DutySurroundings) {
    this.#surroundings = surroundings
    this.#folders = jobFileFolders(surroundings.database.name)
    this.#jobFind = surroundings.database.prepare<[number], unknown>('SELECT seq FROM jobs WHERE seq = ?')
  }

  /** Looks at some files; false: there are no more. */
  async runOnce(): Promise<boolean> {
    const folder = this.#folders[0]
    if (folder === undefined) return false
    try {
      this.#open ??= await openFolder(folder)
      for (let entries = 0; entries < entriesPerSlice; entries++) {
        const entry = await this.#open?.read()
        if (entry === undefined || entry === null) {
          this.#folders.shift()
          await this.#close()
          return this.#folders.length > 0
        }
        this.examined++
        if (this.#isOrphan(entry.name)) await this.#delete(join(folder, entry.name))
      }
      return true
    } catch (error) {
      await this.#close()
      throw engineError('PATH_INVALID', {
        found: `${folder} cannot be cleared: ${toPlainError(error).message}`,
        action: 'Correct the rights on it; what was left is deleted by the next run.',
        details: { path: folder },
        cause: error,
      })
    }
  }

  async #close(): Promise<void> {
    const open = this.#open
    this.#open = undefined
    await open?.close()
  }

  #isOrphan(name: string): boolean {
    const [jobId = ''] = name.split('.')
    try {
      return this.#jobFind.get(decodeJobId(this.#surroundings.databaseId, jobId)) === undefined
    } catch (error) {
      if (hasCode(error, 'JOB_ID_INVALID')) return false
      throw error
    }
  }

  async #delete(path: string): Promise<void> {
    this.deletedBytes += await bytesOf(path)
    await rm(path, { recursive: true, force: true })
  }
}

/** Undefined where there is none, or a link. */
async function openFolder(folder: string): Promise<Dir | undefined> {
  // The folder that it lies in could be a link too.
  for (const path of [join(folder, '..'), folder]) {
    const found = await lstat(path).catch(ignoreMissing)
    if (found === undefined || !found.isDirectory()) return undefined
  }
  return await opendir(folder)
}

/** Of a file, or of all files in a job's folder. */
async function bytesOf(path: string): Promise<number> {
  const found = await lstat(path).catch(ignoreMissing)
  if (found === undefined) return 0
  if (!found.isDirectory()) return found.size
  let bytes = 0
  for (const name of await readdir(path)) {
    bytes += (await lstat(join(path, name)).catch(ignoreMissing))?.size ?? 0
  }
  return bytes
}

function ignoreMissing(error: unknown): undefined {
  if (toPlainError(error).code === 'ENOENT') return undefined
  throw error
}
