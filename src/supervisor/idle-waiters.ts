import type { Changes } from './changes.ts'

/** Who wants to know when nothing is queued, scheduled or running. Jobs that nobody serves, or can recover, do not count. */
export class IdleWaiters {
  #waiters: (() => void)[] = []

  add(answer: () => void): void {
    this.#waiters.push(answer)
  }

  /** Not inside a transaction. */
  answer({ writer, parked, leftRunning }: Changes): void {
    if (this.#waiters.length === 0) return
    const { QUEUED, SCHEDULED, RUNNING } = writer.counters.totals()
    if (QUEUED + SCHEDULED + RUNNING > parked + leftRunning) return
    const waiters = this.#waiters
    this.#waiters = []
    for (const answer of waiters) answer()
  }
}
