/**
 * Whether a thread has come to rest since a job ended in it.
 *
 * A job may leave promises or ticks behind that go on for ever, one after the other. What returns synchronously can be
 * run all the same, between two of them; but what waits for a timer or for a message would never hear of it, and would
 * look like the one that keeps the thread. So it waits for a turn of the event loop, which comes only when there is
 * nothing of the kind. Such a turn costs more than a tiny job does: after types of which many have ended well it is enough
 * that no promise is left to go on.
 */
import type { ServedType } from './served-type.ts'

/** So many jobs of a type have ended in the thread, most of them with a turn after each, before it is believed to leave no ticks. */
const endsOfTrust = 256

export interface TurnWaits {
  /** Calls back once the event loop has had its turn. */
  readonly afterThisTurn: (run: () => void) => void
  /** Calls back once nothing that promises have set going is left. */
  readonly afterMicrotasks: (run: () => void) => void
}

export class Turns {
  readonly #waits: TurnWaits
  readonly #go: () => void
  #isPlanned = false
  #needsWhole = false
  /** Nothing has ended since the last turn. */
  isFresh = true

  /** @param go is called with each turn that was waited for */
  constructor(waits: TurnWaits, go: () => void) {
    this.#waits = waits
    this.#go = go
  }

  /** A job of this type has ended. */
  ended(type: ServedType): void {
    this.isFresh = false
    if (type.ends < endsOfTrust) {
      type.ends++
      this.#needsWhole = true
    }
  }

  waitForNext(): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    const { afterThisTurn, afterMicrotasks } = this.#waits
    if (this.#needsWhole) afterThisTurn(this.#turn)
    else afterMicrotasks(this.#rest)
  }

  /** Nothing that promises have set going is left. */
  readonly #rest = (): void => {
    if (!this.#needsWhole) {
      this.#turn()
      return
    }
    // A job has ended since this was planned, after which it is not enough.
    this.#isPlanned = false
    this.waitForNext()
  }

  readonly #turn = (): void => {
    this.#isPlanned = false
    this.#needsWhole = false
    this.isFresh = true
    this.#go()
  }
}
