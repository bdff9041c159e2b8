/** Claims that wait for a thread, in the order in which they will go. */
import { assert } from '../errors.ts'
import type { Claim } from './claims.ts'

export class ReadyQueue {
  /** May hold ones that are ready no more. */
  #trusted: Claim[] = []
  #head = 0
  /** Each runs alone. */
  readonly #suspects: Claim[] = []

  /** Behind everything of the same or a higher priority; nearly always that is the end. */
  add(claim: Claim): void {
    if (claim.suspicion > 0) {
      this.#suspects.push(claim)
      return
    }
    let place = this.#trusted.length
    while (place > this.#head && (this.#trusted[place - 1]?.priority ?? 0) < claim.priority) place--
    if (place === this.#trusted.length) this.#trusted.push(claim)
    else this.#trusted.splice(place, 0, claim)
  }

  /** To the front, in their order. */
  giveBack(claims: readonly Claim[]): void {
    this.#suspects.unshift(...claims.filter((claim) => claim.suspicion > 0))
    const trusted = claims.filter((claim) => claim.suspicion === 0)
    this.#trusted = [...trusted, ...this.#trusted.slice(this.#head)]
    this.#head = 0
  }

  /** The next one to go, if it is cleared: otherwise a commit has to come first. */
  peek(): Claim | undefined {
    const next = this.#next()
    return next?.isCleared === true ? next : undefined
  }

  get needsCommit(): boolean {
    return this.#next()?.isCleared === false
  }

  take(): Claim {
    const claim = this.peek()
    assert(claim !== undefined, 'a ready claim was there')
    this.#head++
    if (this.#head > 1_024) {
      this.#trusted = this.#trusted.slice(this.#head)
      this.#head = 0
    }
    return claim
  }

  peekSuspect(): Claim | undefined {
    while (this.#suspects[0] !== undefined && this.#suspects[0].place !== 'ready') this.#suspects.shift()
    return this.#suspects[0]
  }

  takeSuspect(): Claim | undefined {
    const claim = this.peekSuspect()
    this.#suspects.shift()
    return claim
  }

  /** All but suspects, cleared or not. */
  *inTurn(): Iterable<Claim> {
    for (let place = this.#head; place < this.#trusted.length; place++) {
      const claim = this.#trusted[place]
      if (claim?.place === 'ready') yield claim
    }
  }

  #next(): Claim | undefined {
    for (;;) {
      const claim = this.#trusted[this.#head]
      if (claim === undefined) {
        this.#trusted = []
        this.#head = 0
        return undefined
      }
      if (claim.place === 'ready') return claim
      this.#head++
    }
  }
}
