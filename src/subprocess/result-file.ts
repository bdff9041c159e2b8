import { closeSync, constants, lstatSync, mkdirSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { engineError, hasCode, toPlainError } from '../errors.ts'
import { maxJsonCharacters } from '../job/json.ts'
import { removeFolder } from './clean-up.ts'
import { openOwnFile } from './own-file.ts'

const mostBytes = maxJsonCharacters * 4

/** The file in which a program may leave its result, in a folder of its own. */
export class ResultFile {
  readonly path: string

  /** @throws SUBPROCESS_FAILED when its folder cannot be made, as on a full disk */
  constructor(runsFolder: string, runId: string) {
    this.path = join(runsFolder, runId, 'result.json')
    try {
      mkdirSync(dirname(this.path), { recursive: true })
    } catch (error) {
      throw engineError('SUBPROCESS_FAILED', {
        found: `The folder for the result of a program cannot be made: ${toPlainError(error).message}`,
        action: 'See that there is room, and that this user may write the folder.',
        details: { exitCode: null, signal: null },
        cause: error,
      })
    }
  }

  /**
   * What the program wrote; undefined when it wrote nothing.
   *
   * @throws RESULT_TOO_LARGE; SUBPROCESS_FAILED when something else is in its place
   */
  read(): string | undefined {
    try {
      return this.#read()
    } catch (error) {
      if (hasCode(error, 'RESULT_TOO_LARGE')) throw error
      throw engineError('SUBPROCESS_FAILED', {
        found: `The result of the program cannot be read: ${toPlainError(error).message}`,
        action: 'Write one JSON value to the file that SEMANTICA_RESULT_FILE names, or leave it alone.',
        details: { exitCode: 0, signal: null },
        cause: error,
      })
    }
  }

  /** @throws what the system says when the program has left something that cannot be removed */
  remove(): void {
    removeFolder(dirname(this.path))
  }

  #read(): string | undefined {
    const folder = dirname(this.path)
    if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink()) throw new Error(`${folder} is a link`)
    if (lstatSync(this.path, { throwIfNoEntry: false }) === undefined) return undefined
    const { file, bytes } = openOwnFile(this.path, constants.O_RDONLY)
    try {
      return bytes === 0 ? undefined : readWhole(file, bytes)
    } finally {
      closeSync(file)
    }
  }
}

function readWhole(file: number, bytes: number): string {
  if (bytes > mostBytes) {
    throw engineError('RESULT_TOO_LARGE', {
      found: `The result file has ${bytes.toLocaleString('en')} bytes`,
      allowed: `${maxJsonCharacters.toLocaleString('en')} characters`,
      action: 'Write large results to a file of your own, and its path to the result.',
    })
  }
  const contents = Buffer.alloc(bytes)
  let length = 0
  while (length < bytes) {
    const read = readSync(file, contents, length, bytes - length, length)
    if (read === 0) break
    length += read
  }
  return contents.toString('utf8', 0, length)
}
