/**
 * One process of this machine, as Linux shows it under /proc. Elsewhere there is none to be seen.
 *
 * That there is nothing to be read is one thing, that it cannot be read now another, as when descriptors run out: whoever
 * took the one for the other would take what lives for gone.
 */
import { readFileSync } from 'node:fs'
import { engineError, toPlainError } from '../errors.ts'

export interface ProcessFacts {
  readonly pid: number
  readonly processGroup: number
  readonly session: number
  /** Clock ticks from the machine's start: with the pid it tells a process from every other since then. */
  readonly startTicks: number
  /** Dead, and only not yet collected by its parent. */
  readonly isDead: boolean
}

/**
 * Undefined: there is no such process (any more), or none that we may see.
 *
 * @throws SUBPROCESS_FAILED when it cannot be looked at
 */
export function readProcess(pid: number): ProcessFacts | undefined {
  const text = readIfThere(`/proc/${pid}/stat`)
  // The second field is the name in parentheses, which may itself hold blanks and parentheses.
  const nameEnd = text.lastIndexOf(')')
  if (nameEnd === -1) return undefined
  const fields = text.slice(nameEnd + 2).split(' ')
  const [state = '', , group, session] = fields
  return {
    pid,
    processGroup: Number(group),
    session: Number(session),
    // The 22nd field of the whole line, of which two came before.
    startTicks: Number(fields[19]),
    isDead: state === 'Z' || state === 'X',
  }
}

/**
 * Tells one start of the machine from every other. Empty where the system does not tell.
 *
 * @throws SUBPROCESS_FAILED when it cannot be looked at
 */
export function readBootId(): string {
  return readIfThere('/proc/sys/kernel/random/boot_id').trim()
}

export function readIfThere(path: string): string {
  return unlessAbsent(() => readFileSync(path, 'utf8'), '')
}

/** It is not there, or ended meanwhile, or is of somebody else. */
const absences: ReadonlySet<unknown> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM'])

export function unlessAbsent<Read, Instead>(read: () => Read, instead: Instead): Read | Instead {
  try {
    return read()
  } catch (error) {
    if (error instanceof Error && 'code' in error && absences.has(error.code)) return instead
    throw unseen(error)
  }
}

/** Nobody can say whether a process lives, or is anybody's. */
export function unseen(cause?: unknown): Error {
  const why = cause === undefined ? '' : ` (${toPlainError(cause).message})`
  return engineError('SUBPROCESS_FAILED', {
    found: `The processes of this machine cannot be seen under /proc${why}`,
    action: 'Look at the limits of this user and machine (ulimit -a), above all that of open files.',
    details: { exitCode: null, signal: null },
    cause,
  })
}
