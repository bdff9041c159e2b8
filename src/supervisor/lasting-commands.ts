import type { Clock, Timer } from '../clock.ts'
import type { Claim } from './claims.ts'
import type { Command } from './group-commit.ts'

/** After this wait what could not be committed is tried again. */
const retryAfterMs = 1_000
/** What is refused alone is tried again after ever longer waits, up to this. */
const longestRetryAfterMs = 16_000

/** What a command does about one claim. */
export interface LastingPart {
  readonly claim: Claim
  apply(): void
  /** What it records comes again with something else: refused alone, it is not tried again. */
  readonly comesAgain?: true
}

interface LastingHooks {
  offer(command: Command): void
  /** @param claim whose part it is that was refused alone; undefined: it is not about one */
  onFailure(error: Error, retryInMs: number, claim: Claim | undefined): void
  /** The wait is over: what is not kept here, and waited as well, may go on too. */
  onRetry(): void
}

/**
 * Commands that must not be lost, such as outcomes: what could not be committed is offered again after a while, until it
 * can be.
 *
 * Where nothing can be, as on a full disk, what comes meanwhile is kept behind it: the death of a thread is judged only
 * after the outcomes that the thread had sent. But a command that is refused alone, as where the page of one row is
 * damaged, keeps nobody waiting: it is divided by claim, and what is refused then is tried again by itself.
 */
export class LastingCommands {
  readonly #clock: Clock
  readonly #hooks: LastingHooks
  readonly #kept = new Set<Command>()
  readonly #refusedAlone = new Map<Command, Timer>()
  #timer: Timer | undefined

  constructor(clock: Clock, hooks: LastingHooks) {
    this.#clock = clock
    this.#hooks = hooks
  }

  /** Whether a commit has failed a moment ago. */
  get isWaiting(): boolean {
    return this.#timer !== undefined
  }

  /** @param divide gives what does the same claim by claim, and sets these aside, for the case that it is refused alone */
  submit(apply: () => void, divide?: () => readonly LastingPart[]): void {
    let retryInMs = retryAfterMs
    this.#offer(apply, (command, error) => {
      if (divide !== undefined) for (const part of divide()) this.#submitPart(part)
      else retryInMs = this.#retryAlone(command, error, retryInMs, undefined)
    })
  }

  #submitPart({ claim, apply, comesAgain }: LastingPart): void {
    let retryInMs = retryAfterMs
    this.#offer(apply, (command, error) => {
      if (comesAgain !== true) retryInMs = this.#retryAlone(command, error, retryInMs, claim)
    })
  }

  #offer(apply: () => void, refusedAlone: (command: Command, error: Error) => void): void {
    const command: Command = {
      // Not yet when it is submitted: others that were before may still be in the mailbox, and come to be kept.
      apply: () => {
        if (this.#kept.size > 0) this.#kept.add(command)
        else apply()
      },
      refuse: (error, isAlone) => {
        if (isAlone === true) {
          refusedAlone(command, error)
        } else {
          this.#kept.add(command)
          this.failed(error)
        }
      },
    }
    this.#hooks.offer(command)
  }

  /** Gives how long to wait the next time. Told while the waits become longer, and then no more. */
  #retryAlone(command: Command, error: Error, retryInMs: number, claim: Claim | undefined): number {
    if (retryInMs < longestRetryAfterMs) this.#hooks.onFailure(error, retryInMs, claim)
    const timer = this.#clock.startTimer(retryInMs, () => {
      this.#refusedAlone.delete(command)
      this.#hooks.offer(command)
      this.#hooks.onRetry()
    })
    this.#refusedAlone.set(command, timer)
    return Math.min(retryInMs * 2, longestRetryAfterMs)
  }

  /** A commit has failed. Reported once for each wait. */
  failed(error: Error): void {
    if (this.#timer !== undefined) return
    this.#hooks.onFailure(error, retryAfterMs, undefined)
    this.#timer = this.#clock.startTimer(retryAfterMs, () => {
      this.#timer = undefined
      this.#offerKept()
      this.#hooks.onRetry()
    })
  }

  #offerKept(): void {
    const kept = [...this.#kept]
    this.#kept.clear()
    for (const command of kept) this.#hooks.offer(command)
  }

  #offerRefused(): void {
    const refused = [...this.#refusedAlone]
    this.#refusedAlone.clear()
    for (const [command, timer] of refused) {
      timer.cancel()
      this.#hooks.offer(command)
    }
  }

  /**
   * Tries once more what is kept, behind all that came before.
   *
   * @param step commits some of what was offered; false: nothing is left, or nothing can be done
   */
  finish(step: () => boolean): void {
    while (step());
    this.#offerRefused()
    this.#offerKept()
    while (step());
  }

  close(): void {
    this.#timer?.cancel()
    for (const timer of this.#refusedAlone.values()) timer.cancel()
  }
}
