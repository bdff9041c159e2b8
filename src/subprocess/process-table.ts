/** The processes of this machine, as Linux shows them under /proc. Elsewhere there are none to be seen. */
import { readdirSync, readFileSync } from 'node:fs'

const ticksPerSecond = 100

export interface ProcessFacts {
  readonly pid: number
  readonly processGroup: number
  readonly session: number
  /** Clock ticks from the machine's start: with the pid it tells a process from every other since then. */
  readonly startTicks: number
  /** Dead, and only not yet collected by its parent. */
  readonly isDead: boolean
}

/** Undefined: there is no such process (any more). */
export function readProcess(pid: number): ProcessFacts | undefined {
  const text = readOrNothing(`/proc/${pid}/stat`)
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

/**
 * All that live. A process may end while the list is read, and leave a child that is not on it; so the list is read until
 * there is nobody new on it.
 */
export function livingProcesses(): ProcessFacts[] {
  const seen = new Set<number>()
  const living: ProcessFacts[] = []
  for (let lists = 0; lists < mostLists; lists++) {
    const added = processIds().filter((pid) => !seen.has(pid))
    if (added.length === 0) break
    for (const pid of added) {
      seen.add(pid)
      const facts = readProcess(pid)
      if (facts !== undefined && !facts.isDead) living.push(facts)
    }
  }
  return living
}

function processIds(): number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0)
  } catch {
    return []
  }
}

/**
 * The environment with which a process began, or became another program. Undefined where it is gone, or not ours to
 * read. It seems empty for a moment while a process becomes another program.
 */
export function environmentOf(pid: number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/environ`, 'utf8')
    return text === '' ? [] : text.split('\0')
  } catch {
    return undefined
  }
}

/**
 * Now, as `startTicks`, or some time before: Linux counts a hundred a second for everybody, and a container may be told a
 * later start than the machine's. 0 where the system does not tell.
 */
export function readTicks(): number {
  const seconds = Number.parseFloat(readOrNothing('/proc/uptime'))
  return Number.isNaN(seconds) ? 0 : Math.floor(seconds * ticksPerSecond)
}

/** Tells one start of the machine from every other. Empty where the system does not tell. */
export function readBootId(): string {
  return readOrNothing('/proc/sys/kernel/random/boot_id').trim()
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
