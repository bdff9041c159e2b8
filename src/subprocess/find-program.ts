/** What can be known of a program before it is started: a shell would say it too late, and in its own words. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { engineError } from '../errors.ts'

/** Where a program is looked for that gets no PATH. */
const fallbackPath = '/usr/local/bin:/usr/bin:/bin'

/**
 * The absolute path of a program.
 *
 * @param path the PATH that the program will get
 * @throws SUBPROCESS_INVALID when it does not exist, or may not be run
 */
export function findCommand(command: string, folder: string, path: string = fallbackPath): string {
  const places = command.includes('/')
    ? [resolve(folder, command)]
    : path.split(delimiter).map((place) => join(resolve(folder, place), command))
  const files = places.filter((place) => statSync(place, { throwIfNoEntry: false })?.isFile())
  const found = files.find((file) => mayRun(file))
  if (found !== undefined) return found
  const [file] = files
  throw invalid(
    file === undefined ? `The program ${command} does not exist` : `${file} may not be run by this user`,
    file === undefined ? `a path, or a name in ${path}` : 'a file with the right to be executed',
    'command',
  )
}

function mayRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** @throws SUBPROCESS_INVALID when it is no folder that a program can begin in */
export function checkFolder(folder: string): void {
  const stats = statSync(folder, { throwIfNoEntry: false })
  if (stats === undefined) throw invalid(`The folder ${folder} does not exist`, 'an existing folder', 'cwd')
  if (!stats.isDirectory()) throw invalid(`${folder} is not a folder`, 'a folder', 'cwd')
  if (!mayRun(folder)) throw invalid(`The folder ${folder} may not be entered`, 'one that may', 'cwd')
}

function invalid(found: string, allowed: string, option: string): Error {
  return engineError('SUBPROCESS_INVALID', {
    found,
    allowed,
    action: "Correct the job's payload or its type, or install the program.",
    details: { option },
  })
}

/** What the system said when it could not start a process: for good, or for now. */
export function startFailed(command: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'E2BIG')
    return invalid(`The args and env of ${command} are too long (${reason})`, 'about 2 MB', 'args')
  return engineError('SUBPROCESS_FAILED', {
    found: `${command} could not be started: ${reason}`,
    action: 'Look at the limits of this user and machine (ulimit -a).',
    details: { exitCode: null, signal: null },
    cause,
  })
}
