import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database } from 'better-sqlite3'
import { afterEach, beforeEach, expect } from 'vitest'
import type { ErrorCode, SemanticaError } from '../../src/errors.ts'

interface Place {
  /** A folder of the test's own, removed after it. */
  readonly folder: string
  pathOf(name: string): string
  /** Has the connection closed after the test, if the test did not. */
  keep(database: Database): Database
}

/** Call once in a test file, outside of the tests. */
export function usePlace(): Place {
  let folder = ''
  const open: Database[] = []
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'store-'))
  })
  afterEach(() => {
    for (const database of open.splice(0)) database.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    get folder() {
      return folder
    },
    pathOf: (name) => join(folder, name),
    keep: (database) => {
      open.push(database)
      return database
    },
  }
}

/** What `run` throws, which must be an error of the registry with this code. */
export function thrownBy(run: () => unknown, code: ErrorCode): SemanticaError {
  try {
    run()
  } catch (error) {
    expect(error).toMatchObject({ name: 'SemanticaError', code })
    return error as SemanticaError
  }
  throw new Error(`Expected ${code}, but nothing was thrown`)
}
