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
  /**
   * @param retryInMs undefined: the engine stops, and has no time for that
   * @param claim whose part it is that was refused alone; undefined: it is not about one
   */
  onFailure(error: Error, retryInMs: number | undefined, claim: Claim | undefined): void
  /** The wait is over: what is not kept here, and waited as well, may go on too. */
  onRetry(): void
}

/** What is to be done, apart from the command that will come to do it. */
interface Submission {
  /** By its place in the order of all. */
  readonly number: number
  apply(): void
  refusedAlone(error: Error): void
}

/**
 * Commands that must not be lost, such as outcomes: what could not be committed is offered again after a while, until it
 * can be.
 *
 * They are done in the order in which they were submitted: the death of a thread is judged only after the outcomes that
 * the thread had sent. So a command that waits in the mailbox stands for none of them, and takes the oldest when its
 * turn comes. Where nothing can be written, as on a full disk, what comes meanwhile is kept behind what was refused.
 *
 * What is refused alone, as where the page of one row is damaged, is taken out of that order, so that nobody waits for
 * it: it is divided by claim, and what is refused then is tried again by itself. Whatever overtakes it leaves its claims as
 * they are: these are set aside.
 */
export class LastingCommands {
  readonly #clock: Clock
  readonly #hooks: LastingHooks
  /** Oldest first, without what a command has taken. */
  readonly #pending: Submission[] = []
  /** So many of them no command will come for, until they are offered again. */
  #kept = 0
  #submitted = 0
  readonly #refusedAlone = new Map<() => void, Timer>()
  #timer: Timer | undefined
  #isFinishing = false

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
    if (divide === undefined) this.#submitLasting(apply, undefined)
    else
      this.#submitOnce(apply, () => {
        for (const part of divide()) this.#submitPart(part)
      })
  }

  #submitPart({ claim, apply, comesAgain }: LastingPart): void {
    if (comesAgain === true) this.#submitOnce(apply, () => {})
    else this.#submitLasting(apply, claim)
  }

  /** Refused alone it is tried again, after ever longer waits. Told while these become longer, and then no more. */
  #submitLasting(apply: () => void, claim: Claim | undefined): void {
    let retryInMs = retryAfterMs
    const again = () =>
      this.#submitOnce(apply, (error) => {
        if (!this.#isFinishing && retryInMs < longestRetryAfterMs)
          this.#hooks.onFailure(error, retryInMs, claim)
        else if (retryInMs === retryAfterMs) this.#hooks.onFailure(error, undefined, claim)
        const timer = this.#clock.startTimer(retryInMs, () => {
          this.#refusedAlone.delete(again)
          again()
          this.#hooks.onRetry()
        })
        this.#refusedAlone.set(again, timer)
        retryInMs = Math.min(retryInMs * 2, longestRetryAfterMs)
      })
    again()
  }

  #submitOnce(apply: () => void, refusedAlone: (error: Error) => void): void {
    this.#pending.push({ number: ++this.#submitted, apply, refusedAlone })
    this.#hooks.offer(this.#makeCommand())
  }

  /** May be applied more than once, as all commands: what it has taken stays its own, and it comes for one at most. */
  #makeCommand(): Command {
    let taken: Submission | undefined
    let isLeft = false
    const take = () => {
      if (taken !== undefined || isLeft) return taken
      // Not yet when it is offered: others that were before may still be in the mailbox, and come to be kept.
      isLeft = this.#kept > 0
      if (isLeft) this.#kept++
      else taken = this.#pending.shift()
      return taken
    }
    return {
      apply: () => take()?.apply(),
      refuse: (error, isAlone) => {
        const refused = take()
        if (refused !== undefined && isAlone === true) {
          refused.refusedAlone(error)
          return
        }
        if (refused !== undefined) this.#keep(refused)
        this.failed(error)
      },
    }
  }

  #keep(refused: Submission): void {
    const place = this.#pending.findIndex(({ number }) => number > refused.number)
    this.#pending.splice(place === -1 ? this.#pending.length : place, 0, refused)
    this.#kept++
  }

  /** A commit has failed. Reported once for each wait. */
  failed(error: Error): void {
    if (this.#timer !== undefined) return
    this.#hooks.onFailure(error, this.#isFinishing ? undefined : retryAfterMs, undefined)
    this.#timer = this.#clock.startTimer(retryAfterMs, () => {
      this.#timer = undefined
      this.#offerKept()
      this.#hooks.onRetry()
    })
  }

  #offerKept(): void {
    const kept = this.#kept
    this.#kept = 0
    for (let count = 0; count < kept; count++) this.#hooks.offer(this.#makeCommand())
  }

  #offerRefused(): void {
    const refused = [...this.#refusedAlone]
    this.#refusedAlone.clear()
    for (const [again, timer] of refused) {
      timer.cancel()
      again()
    }
  }

  /**
   * Tries once more what is kept, behind all that came before. From then on what was told is not told again.
   *
   * @param step commits some of what was offered; false: nothing is left, or nothing can be done
   */
  finish(step: () => boolean): void {
    this.#isFinishing = true
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
