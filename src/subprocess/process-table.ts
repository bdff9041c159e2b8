/**
 * The processes of this machine, as Linux shows them under /proc. Elsewhere there are none to be seen.
 *
 * That there is nothing to be read is one thing, that it cannot be read now another, as when descriptors run out: whoever
 * took the one for the other would take what lives for gone.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { engineError, toPlainError } from '../errors.ts'

export const ticksPerSecond = 100

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

/** How often the list is read again for those that were born meanwhile. */
const mostLists = 10

/** What can be seen at one time. */
interface Living {
  readonly processes: readonly ProcessFacts[]
  /** Why there may be more; undefined: there are none. */
  readonly failure: Error | undefined
}

/**
 * All that live. A process may end while the list is read, and leave a child that is not on it; so the list is read until
 * there is nobody new on it.
 */
export function livingProcesses(): Living {
  const seen = new Set<number>()
  const processes: ProcessFacts[] = []
  let failure: Error | undefined
  for (let lists = 0; lists < mostLists; lists++) {
    try {
      const added = processIds().filter((pid) => !seen.has(pid))
      if (added.length === 0) break
      for (const pid of added) {
        seen.add(pid)
        const facts = readProcess(pid)
        if (facts !== undefined && !facts.isDead) processes.push(facts)
      }
    } catch (error) {
      // What can be seen is told all the same: it may be ended by then.
      failure = error instanceof Error ? error : unseen(error)
    }
  }
  return { processes, failure }
}

function processIds(): number[] {
  return unlessAbsent(() => readdirSync('/proc'), [])
    .map(Number)
    .filter((pid) => pid > 0)
}

/**
 * The environment with which a process began, or became another program. Undefined where it is gone, or not ours to
 * read. It seems empty for a moment while a process becomes another program.
 *
 * @throws SUBPROCESS_FAILED when it cannot be looked at
 */
export function environmentOf(pid: number): readonly string[] | undefined {
  const text = unlessAbsent(() => readFileSync(`/proc/${pid}/environ`, 'utf8'), undefined)
  return text === '' ? [] : text?.split('\0')
}

/**
 * Now, as `startTicks`, or some time before: Linux counts a hundred a second for everybody, and a container may be told a
 * later start than the machine's. 0 where the system does not tell.
 *
 * @throws SUBPROCESS_FAILED when it cannot be looked at
 */
export function readTicks(): number {
  const seconds = Number.parseFloat(readIfThere('/proc/uptime'))
  return Number.isNaN(seconds) ? 0 : Math.floor(seconds * ticksPerSecond)
}

/**
 * Tells one start of the machine from every other. Empty where the system does not tell.
 *
 * @throws SUBPROCESS_FAILED when it cannot be looked at
 */
export function readBootId(): string {
  return readIfThere('/proc/sys/kernel/random/boot_id').trim()
}

function readIfThere(path: string): string {
  return unlessAbsent(() => readFileSync(path, 'utf8'), '')
}

/** It is not there, or ended meanwhile, or is of somebody else. */
const absences: ReadonlySet<unknown> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM'])

function unlessAbsent<Read, Instead>(read: () => Read, instead: Instead): Read | Instead {
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
