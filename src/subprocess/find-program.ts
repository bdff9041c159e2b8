/** What can be known of a program before it is started: a shell would say it too late, and in its own words. */
import { accessSync, closeSync, constants, openSync, readSync, type Stats, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { describe, engineError, toPlainError } from '../errors.ts'

/** Where a program is looked for that gets no PATH. */
const fallbackPath = '/usr/local/bin:/usr/bin:/bin'

/** How much of a script the kernel looks at. */
const interpreterBytes = 256

/**
 * The absolute path of a program: the first that may be run, of the places in PATH.
 *
 * @param path the PATH that the program will get
 * @throws SUBPROCESS_INVALID when it does not exist, may not be run, or is a script without its interpreter
 */
export function findCommand(command: string, folder: string, path: string = fallbackPath): string {
  const places = command.includes('/')
    ? [resolve(folder, command)]
    : path.split(delimiter).map((place) => join(resolve(folder, place), command))
  let fault: string | undefined
  for (const place of places) {
    const found = lookAt(place)
    if (found.kind === 'unknown') fault ??= `${place} cannot be looked at (${found.reason})`
    if (found.kind !== 'there') continue
    if (!found.stats.isFile()) {
      fault ??= `${place} is ${found.stats.isDirectory() ? 'a folder' : 'not a file'}`
      continue
    }
    const misfit = mayRun(place) ? interpreterFault(place, folder) : `${place} may not be run by this user`
    if (misfit === undefined) return place
    fault ??= misfit
  }
  throw fault === undefined
    ? invalid(`The program ${command} does not exist`, `a path, or a name in ${path}`, 'command')
    : invalid(fault, 'a file that can be executed', 'command')
}

type Look =
  | { readonly kind: 'there'; readonly stats: Stats }
  | { readonly kind: 'missing' }
  /** Below a closed folder, in a loop of links, or with too long a name. */
  | { readonly kind: 'unknown'; readonly reason: string }

function lookAt(place: string): Look {
  try {
    const stats = statSync(place, { throwIfNoEntry: false })
    return stats === undefined ? { kind: 'missing' } : { kind: 'there', stats }
  } catch (error) {
    return { kind: 'unknown', reason: toPlainError(error).message }
  }
}

function mayRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What is wrong with the interpreter that the first line of a script names; undefined: nothing, or it is no script. */
function interpreterFault(script: string, folder: string): string | undefined {
  // As the kernel reads it, which takes whatever is not a blank, also the carriage return of another system.
  const interpreter = /^#![ \t]*([^ \t\n\0]+)[ \t\n\0]/.exec(beginningOf(script))?.[1]
  if (interpreter === undefined) return undefined
  const place = resolve(folder, interpreter)
  const needs = `${script} needs the interpreter ${describe(interpreter)}, which`
  const found = lookAt(place)
  if (found.kind === 'unknown') return `${needs} cannot be looked at (${found.reason})`
  if (found.kind === 'missing') return `${needs} does not exist`
  return found.stats.isFile() && mayRun(place) ? undefined : `${needs} may not be run by this user`
}

/** Of a file that may be run, but not read, nothing. Ended by a NUL where the file is. */
function beginningOf(path: string): string {
  const beginning = Buffer.alloc(interpreterBytes)
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      readSync(file, beginning)
    } finally {
      closeSync(file)
    }
  } catch {
    return ''
  }
  return beginning.toString('latin1')
}

/**
 * The folder that a program begins in: by default that of the engine's own process.
 *
 * @throws SUBPROCESS_INVALID when it is none that a program can begin in
 */
export function findFolder(cwd: string | undefined): string {
  const folder = cwd ?? ownFolder()
  const found = lookAt(folder)
  if (found.kind === 'unknown')
    throw invalid(`The folder ${folder} cannot be looked at (${found.reason})`, 'one that can', 'cwd')
  if (found.kind === 'missing')
    throw invalid(`The folder ${folder} does not exist`, 'an existing folder', 'cwd')
  if (!found.stats.isDirectory()) throw invalid(`${folder} is not a folder`, 'a folder', 'cwd')
  if (!mayRun(folder)) throw invalid(`The folder ${folder} may not be entered`, 'one that may', 'cwd')
  return folder
}

function ownFolder(): string {
  try {
    return process.cwd()
  } catch (error) {
    throw invalid(
      `The folder in which the engine was started cannot be found (${toPlainError(error).message})`,
      'an existing folder',
      'cwd',
    )
  }
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
    return engineError('SUBPROCESS_INVALID', {
      found: `The args and env of ${command} are too long (${reason})`,
      allowed: '131,071 bytes each, and about 2 MB together',
      action: 'Give what is longer as stdin, or in a file.',
      details: { option: 'args' },
      cause,
    })
  return engineError('SUBPROCESS_FAILED', {
    found: `${command} could not be started: ${reason}`,
    action: 'Look at the limits of this user and machine (ulimit -a).',
    details: { exitCode: null, signal: null },
    cause,
  })
}

/** What the system could not do for now: to execute a file that is being written, or with too little of something. */
const passes = /busy|memory|temporarily|too many open files/i

/** The system has refused to execute a program that looked as if it could. */
export function refused(command: string, shellsWord: string): Error {
  const reason = shellsWord.trim().split(': ').at(-1) ?? ''
  if (reason === '' || passes.test(reason))
    return startFailed(command, new Error(reason || 'nothing was told'))
  return invalid(
    `The system does not execute ${command}: ${reason}`,
    'a file that can be executed here',
    'command',
  )
}
