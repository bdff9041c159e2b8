/** How much of a busy machine a single thread gets. Node tells only of processes; on Linux a thread has a number too. */
import { readlinkSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/** The lowest priority there is. */
const maxNiceness = 19

/**
 * Lets the threads of the machine that are not as nice go before this one. By so many degrees, from what the process has;
 * each gives away about a fifth of what it would get beside a busy thread. Without effect where threads have no priority
 * of their own (anywhere but on Linux) or the system does not allow it: it is a matter of speed alone.
 *
 * @see the table of weights in the Linux kernel, `sched_prio_to_weight`
 */
export function makeThreadNicer(degrees: number): void {
  if (process.platform !== 'linux' || degrees === 0) return
  try {
    const threadId = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
    setPriority(threadId, Math.min(maxNiceness, getPriority(process.pid) + degrees))
  } catch {}
}
