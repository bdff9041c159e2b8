import { lstatSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Takes all of these steps, also those after one that fails. A program may close the folder it was given to everybody,
 * and a disk may be full: what stays behind then is tried again at the next start, and must not hold up anything else.
 */
export function cleanUp(steps: readonly (() => void)[]): void {
  for (const step of steps) {
    try {
      step()
    } catch {
      // As above.
    }
  }
}

/**
 * Not where the folder around it is a link: nobody knows what else there is of the same name.
 *
 * @throws what the system says when something in it cannot be removed
 */
export function removeFolder(folder: string): void {
  if (lstatSync(dirname(folder), { throwIfNoEntry: false })?.isSymbolicLink()) return
  rmSync(folder, { recursive: true, force: true })
}
