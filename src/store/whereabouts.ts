import type { Database } from 'better-sqlite3'
import { engineError } from '../errors.ts'
import { fileIdentity } from './file-system.ts'

/**
 * Whether the path of an open database still names the file that is open. Without its name a file takes every write, and
 * is gone with the last connection: what is committed then is lost, or is not where the next engine looks.
 */
export class Whereabouts {
  readonly #path: string
  readonly #opened: string | undefined
  #moved: Error | undefined

  constructor(database: Database) {
    this.#path = database.name
    this.#opened = fileIdentity(this.#path)
  }

  /** Three microseconds, for each transaction. Undefined: the file is where it was, as far as can be told. */
  moved(): Error | undefined {
    if (this.#moved === undefined && !this.#isThere()) this.#moved = databaseMoved(this.#path)
    return this.#moved
  }

  #isThere(): boolean {
    try {
      return fileIdentity(this.#path) === this.#opened
    } catch {
      // A folder that may not be searched any more says nothing of what is in it.
      return true
    }
  }
}

function databaseMoved(path: string): Error {
  return engineError('DATABASE_MOVED', {
    found: `${path} was moved, replaced or deleted while the engine had it open`,
    action: 'Put the file back, or restore a backup, then start the engine again.',
    details: { path },
  })
}
