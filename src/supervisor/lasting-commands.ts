import type { Clock, Timer } from '../clock.ts'
import type { Command } from './group-commit.ts'

/** After this wait what could not be committed is tried again. */
const retryAfterMs = 1_000

/**
 * Commands that must not be lost, such as outcomes: what could not be committed, as on a full disk, is kept and offered
 * again after a while, until it can be. What comes meanwhile is kept behind it: the death of a thread is judged only after
 * the outcomes that the thread had sent.
 */
export class LastingCommands {
  readonly #clock: Clock
  readonly #offer: (command: Command) => void
  readonly #onFailure: (error: Error, retryInMs: number) => void
  readonly #onRetry: () => void
  readonly #kept = new Set<Command>()
  #timer: Timer | undefined

  constructor(
    clock: Clock,
    hooks: {
      offer(command: Command): void
      onFailure(error: Error, retryInMs: number): void
      /** The wait is over: what is not kept here, and waited as well, may go on too. */
      onRetry(): void
    },
  ) {
    this.#clock = clock
    this.#offer = hooks.offer
    this.#onFailure = hooks.onFailure
    this.#onRetry = hooks.onRetry
  }

  /** Whether a commit has failed a moment ago. */
  get isWaiting(): boolean {
    return this.#timer !== undefined
  }

  submit(apply: () => void): void {
    const command: Command = {
      // Not yet when it is submitted: others that were before may still be in the mailbox, and come to be kept.
      apply: () => {
        if (this.#kept.size > 0) this.#kept.add(command)
        else apply()
      },
      refuse: (error) => {
        this.#kept.add(command)
        this.failed(error)
      },
    }
    this.#offer(command)
  }

  /** A commit has failed. Reported once for each wait. */
  failed(error: Error): void {
    if (this.#timer !== undefined) return
    this.#onFailure(error, retryAfterMs)
    this.#timer = this.#clock.startTimer(retryAfterMs, () => {
      this.#timer = undefined
      this.offerKept()
      this.#onRetry()
    })
  }

  offerKept(): void {
    const kept = [...this.#kept]
    this.#kept.clear()
    for (const command of kept) this.#offer(command)
  }

  /**
   * Tries once more what is kept, behind all that came before.
   *
   * @param step commits some of what was offered; false: nothing is left, or nothing can be done
   */
  finish(step: () => boolean): void {
    while (step());
    this.offerKept()
    while (step());
  }

  close(): void {
    this.#timer?.cancel()
  }
}
