import { lstatSync, mkdirSync, readlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { type ErrorCode, engineError } from '../errors.ts'

/** How the name of the folder around all files of jobs ends. */
const outermost = '-files'

/**
 * Makes a folder for files of jobs, with those that it lies in. None of them may be a link: maintenance deletes nothing
 * through one, so what was written there would stay for ever.
 *
 * One by one, since of a disk that is only read `recursive` says that the folder is not there.
 *
 * @param code of the error where one is a link
 * @throws what the system says
 */
export function makeJobFolder(folder: string, code: ErrorCode = 'PATH_INVALID'): void {
  if (!folder.endsWith(outermost)) makeJobFolder(dirname(folder), code)
  const found = lstatSync(folder, { throwIfNoEntry: false })
  if (found?.isDirectory()) return
  if (found?.isSymbolicLink())
    throw engineError(code, {
      found: `${folder} is a link to ${readlinkSync(folder)}, and nothing is written through it`,
      allowed: 'a folder',
      action: 'Put a folder in its place; to have it on another disk, mount that there.',
      details: { path: folder },
    })
  try {
    mkdirSync(folder)
  } catch (error) {
    // Another thread may just have made it.
    if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error
  }
}
