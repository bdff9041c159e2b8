/**
 * The processes of this machine, as Linux shows them under /proc. Elsewhere there are none to be seen. What is known of
 * a single one is read in store/process-facts.ts.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { type ProcessFacts, readIfThere, readProcess, unlessAbsent, unseen } from '../store/process-facts.ts'

export const ticksPerSecond = 100

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
