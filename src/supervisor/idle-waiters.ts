import type { Changes } from './changes.ts'

/** Who wants to know when nothing is queued, scheduled or running. Jobs that nobody here serves do not count. */
export class IdleWaiters {
  #waiters: (() => void)[] = []

  add(answer: () => void): void {
    this.#waiters.push(answer)
  }

  /** Not inside a transaction. */
  answer({ writer, parked }: Changes): void {
    if (this.#waiters.length === 0) return
    const { QUEUED, SCHEDULED, RUNNING } = writer.counters.totals()
    if (QUEUED + SCHEDULED + RUNNING > parked) return
    const waiters = this.#waiters
    this.#waiters = []
    for (const answer of waiters) answer()
  }
}
