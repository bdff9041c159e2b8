import { relative } from 'node:path'
import { engineError } from '../errors.ts'
import { guarded, openIndexForReading } from './index-schema.ts'
import type { FileStamp, SkipReason } from './source-file.ts'
import type { StatePaths } from './state-folder.ts'

/** What the index knows of a file. */
export interface KnownFile extends FileStamp {
  readonly checkedAtMs: number
  /** null when the file was skipped. */
  readonly hash: string | null
  readonly skipReason: SkipReason | null
  /** The run that wrote the row. */
  readonly run: number
}

export interface IndexSnapshot {
  readonly files: ReadonlyMap<string, KnownFile>
  /** Whether a run was begun and never ended: jobs may be left. */
  readonly isRunOpen: boolean
  /** Whether any run has ever ended. */
  readonly hasEndedRun: boolean
  readonly symbols: number
}

type IndexDatabase = NonNullable<ReturnType<typeof openIndexForReading>>

const nothing: IndexSnapshot = { files: new Map(), isRunOpen: false, hasEndedRun: false, symbols: 0 }

/** @throws as openIndexForReading */
export function readSnapshot(path: string): IndexSnapshot {
  const database = openIndexForReading(path)
  if (database === undefined) return nothing
  try {
    return guarded(path, () => {
      const files = new Map<string, KnownFile>()
      let symbols = 0
      const rows = database
        .prepare<[], [string, number, number, number, string | null, SkipReason | null, number, number]>(
          'SELECT path, size, mtime_ms, checked_at_ms, hash, skip_reason, run, symbols FROM files',
        )
        .raw()
      for (const [filePath, size, mtimeMs, checkedAtMs, hash, skipReason, run, count] of rows.iterate()) {
        files.set(filePath, { size, mtimeMs, checkedAtMs, hash, skipReason, run })
        symbols += count
      }
      return {
        files,
        isRunOpen: isRunOpen(database),
        hasEndedRun: hasFact(database, 'last_summary'),
        symbols,
      }
    })
  } finally {
    database.close()
  }
}

/** Whether jobs may be left from a run that did not end; cheap. */
export function hasOpenRun(path: string): boolean {
  const database = openIndexForReading(path)
  if (database === undefined) return false
  try {
    return guarded(path, () => isRunOpen(database))
  } finally {
    database.close()
  }
}

/**
 * Refuses the index of another directory: paths in it are relative, and would be mixed with those of this one. One that
 * lies in its directory may have been moved with it.
 *
 * @throws PATH_INVALID, and what openIndexForReading throws
 */
export function assertIndexOf({ folder, index }: StatePaths, directory: string): void {
  const database = openIndexForReading(index)
  if (database === undefined) return
  try {
    const fact = database.prepare<[string], unknown>('SELECT value FROM facts WHERE name = ?').pluck()
    const [root, place] = guarded(index, () => [fact.get('root'), fact.get('place')])
    if (root === undefined || root === directory) return
    const here = relative(directory, folder)
    if (here === place && !here.startsWith('..')) return
    throw engineError('PATH_INVALID', {
      found: `${folder} holds the index of ${String(root)}, not of ${directory}`,
      allowed: 'a state folder for each directory',
      action: 'Choose another folder with --state, or delete this one if that directory was moved.',
      details: { path: folder },
    })
  } finally {
    database.close()
  }
}

function isRunOpen(database: IndexDatabase): boolean {
  return hasFact(database, 'open_run')
}

function hasFact(database: IndexDatabase, name: string): boolean {
  return database.prepare<[string]>('SELECT 1 FROM facts WHERE name = ?').get(name) !== undefined
}
