/** Records how long this thread's event loop is kept from a timer that wants a turn each millisecond. */
import { systemClock } from '../../../src/clock.ts'

const tickMs = 1

export class StallRecorder {
  #lastMs = systemClock.monotonicMs()
  #longestMs = 0
  readonly #timer = setInterval(() => this.#note(), tickMs)

  #note(): void {
    const nowMs = systemClock.monotonicMs()
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs)
    this.#lastMs = nowMs
  }

  /** Also counts the stall that is just ending, if there is one. */
  stop(): number {
    this.#note()
    clearInterval(this.#timer)
    return this.#longestMs
  }
}
