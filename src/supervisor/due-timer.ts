import type { Clock, Timer } from '../clock.ts'

/** The wall clock may jump, so what waits for a time is looked at this often at least. */
const longestWaitMs = 1_000

/** Wakes the supervisor when the time of the next job has come. */
export class DueTimer {
  readonly #clock: Clock
  readonly #onDue: () => void
  #timer: Timer | undefined

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  /** @param dueAt wall time; undefined: no job waits for a time */
  plan(dueAt: number | undefined): void {
    this.#timer?.cancel()
    if (dueAt === undefined) return
    const delayMs = Math.max(1, Math.min(dueAt - this.#clock.wallMs(), longestWaitMs))
    this.#timer = this.#clock.startTimer(delayMs, this.#onDue)
  }

  cancel(): void {
    this.#timer?.cancel()
  }
}
