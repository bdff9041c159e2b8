import type { Clock, Timer } from '../clock.ts'
import type { Command } from './group-commit.ts'

/** After this wait what could not be committed is tried again. */
const retryAfterMs = 1_000

/**
 * Commands that must not be lost, such as outcomes: what could not be committed, as on a full disk, is kept and offered
 * again after a while, until it can be.
 */
export class LastingCommands {
  readonly #clock: Clock
  readonly #offer: (command: Command) => void
  readonly #onFailure: (error: Error, retryInMs: number) => void
  readonly #onRetry: () => void
  #kept: Command[] = []
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
      apply,
      refuse: (error) => {
        this.#kept.push(command)
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
    const kept = this.#kept
    this.#kept = []
    for (const command of kept) this.#offer(command)
  }

  close(): void {
    this.#timer?.cancel()
  }
}
