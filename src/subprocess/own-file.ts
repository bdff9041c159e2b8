/**
 * Opens files that a program may have had its hands on: only one that is a file itself, and has no other name. A link could
 * lead to the job database, and when any descriptor of that is closed, the locks of SQLite on it are gone. So it is
 * looked at before it is opened, and once more after that.
 */
import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs'

/** Of a file that is made here. */
const newFileMode = 0o666

/**
 * @param flags for open(2)
 * @throws what the system says, or an Error that says what is in the file's place
 */
export function openOwnFile(path: string, flags: number): { readonly file: number; readonly bytes: number } {
  const before = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (before !== undefined) assertOwn(path, before)
  // A pipe that came meanwhile must not hold up all programs.
  const file = openSync(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, newFileMode)
  try {
    const stats = fstatSync(file, { bigint: true })
    assertOwn(path, stats)
    return { file, bytes: Number(stats.size) }
  } catch (error) {
    closeSync(file)
    throw error
  }
}

function assertOwn(path: string, stats: BigIntStats): void {
  if (stats.isFile() && stats.nlink === 1n) return
  const found = stats.isSymbolicLink() ? 'a link' : stats.isFile() ? 'a file with other names' : 'not a file'
  throw new Error(`${path} is ${found}`)
}
