import type { Clock, Timer } from '../clock.ts'
import type { AttemptNews } from './messages.ts'

/** Between two reports, once several have gone out in a row. */
const reportEveryMs = 100
/** Reports that may go out in a row: a handler that tells a few things and then works for long is heard whole. */
const reportsInARow = 5

/** Who has something to tell. */
interface Teller {
  takeNews(): AttemptNews
}

/**
 * Gathers what the attempts of one thread have to tell, and sends it in few messages: about ten a second, whatever they
 * do. What a synchronous handler told last before it fell silent goes out with its end.
 */
export class NewsDesk {
  readonly #clock: Clock
  readonly #send: (attempts: readonly AttemptNews[]) => void
  readonly #tellers = new Set<Teller>()
  #allowance = reportsInARow
  #countedAtMs = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined

  constructor(clock: Clock, send: (attempts: readonly AttemptNews[]) => void) {
    this.#clock = clock
    this.#send = send
  }

  /** Has `teller` asked for its news, soon. */
  add(teller: Teller): void {
    this.#tellers.add(teller)
    const nowMs = this.#clock.monotonicMs()
    const earned = (nowMs - this.#countedAtMs) / reportEveryMs
    this.#allowance = Math.min(reportsInARow, this.#allowance + earned)
    this.#countedAtMs = nowMs
    if (this.#allowance >= 1) this.flush()
    else this.#timer ??= this.#clock.startTimer(reportEveryMs, () => this.flush())
  }

  addAtOnce(teller: Teller): void {
    this.#tellers.add(teller)
    this.flush()
  }

  remove(teller: Teller): void {
    this.#tellers.delete(teller)
  }

  /** Sends what there is. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#tellers.size === 0) return
    this.#allowance = Math.max(0, this.#allowance - 1)
    const attempts = Array.from(this.#tellers, (teller) => teller.takeNews())
    this.#tellers.clear()
    this.#send(attempts)
  }
}
