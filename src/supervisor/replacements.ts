/**
 * When a new thread is tried in the place of one that failed before it was ready, as while the jobs module is being
 * written anew. One is tried at a time, each after a longer wait; the first that comes up has all others follow.
 */
import { defaultRestartBudget, longestRestartDelayMs, RestartHistory } from '../actor/supervision.ts'
import type { Clock, Timer } from '../clock.ts'

export class Replacements {
  readonly #clock: Clock
  readonly #history = new RestartHistory(defaultRestartBudget)
  #wait: Timer | undefined
  #isFailing = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many of the `missing` threads may be started now, while `greeting` others are on their way. */
  allowed(missing: number, greeting: number): number {
    if (this.#wait !== undefined) return 0
    return this.#isFailing ? Math.min(missing, 1 - greeting) : missing
  }

  succeeded(): void {
    this.#isFailing = false
    this.close()
  }

  /**
   * A new thread failed: `retry` is called when another may be tried. Six failures in a minute are the end, but only of an
   * engine that has nothing left to lose.
   *
   * @param isServed whether other threads run jobs, or can
   */
  failed(isServed: boolean, retry: () => void): 'waits' | 'give-up' {
    this.#isFailing = true
    // Threads that were started together fail together.
    if (this.#wait !== undefined) return 'waits'
    const next = this.#history.next(this.#clock.monotonicMs())
    if (next === 'give-up' && !isServed) return 'give-up'
    this.#wait = this.#clock.startTimer(next === 'give-up' ? longestRestartDelayMs : next, () => {
      this.#wait = undefined
      retry()
    })
    return 'waits'
  }

  close(): void {
    this.#wait?.cancel()
    this.#wait = undefined
  }
}
