import type { FoundFile } from './discover.ts'
import type { KnownFile } from './index-snapshot.ts'
import { languageOf } from './language.ts'
import type { SkipReason } from './source-file.ts'

/** A file whose content must be looked at. */
export interface FileToRead {
  readonly path: string
  readonly size: number
  /** What the index holds of it; the file is not parsed when it still has this hash. */
  readonly hash: string | null
}

export interface Plan {
  readonly toRead: readonly FileToRead[]
  readonly unchanged: readonly string[]
  readonly unchangedBytes: number
  /** Left out now, with their reasons. */
  readonly skipped: ReadonlyMap<SkipReason, number>
  /** Known to the index, but no longer among the files. */
  readonly removed: readonly string[]
  /** Still there, but no longer what is indexed (grown over the limit). */
  readonly dropped: readonly string[]
}

/**
 * A file that was changed again within this time after it was read may carry the same time stamp: the coarsest file
 * systems count in steps of two seconds.
 */
const coarsestStampMs = 2_000

/** Decides what has to be done, from the index and the folder entries alone. Pure. */
export function planRun(
  files: readonly FoundFile[],
  known: ReadonlyMap<string, KnownFile>,
  maxFileBytes: number,
): Plan {
  const toRead: FileToRead[] = []
  const unchanged: string[] = []
  const skipped = new Map<SkipReason, number>()
  const dropped: string[] = []
  const gone = new Set(known.keys())
  let unchangedBytes = 0
  const skip = (reason: SkipReason) => skipped.set(reason, (skipped.get(reason) ?? 0) + 1)
  for (const { path, size, mtimeMs } of files) {
    gone.delete(path)
    const before = known.get(path)
    const early =
      languageOf(path) === undefined ? 'no-grammar' : size > maxFileBytes ? 'too-large' : undefined
    if (early !== undefined) {
      skip(early)
      if (before !== undefined) dropped.push(path)
    } else if (before === undefined || !isSame(before, size, mtimeMs) || before.skipReason === 'too-large') {
      toRead.push({ path, size, hash: before?.hash ?? null })
    } else if (before.skipReason !== null) {
      skip(before.skipReason)
    } else {
      unchanged.push(path)
      unchangedBytes += size
    }
  }
  // Long work first, so that no thread is left alone with it at the end.
  toRead.sort((left, right) => right.size - left.size)
  return { toRead, unchanged, unchangedBytes, skipped, removed: [...gone], dropped }
}

function isSame(before: KnownFile, size: number, mtimeMs: number): boolean {
  return before.size === size && before.mtimeMs === mtimeMs && mtimeMs < before.checkedAtMs - coarsestStampMs
}
