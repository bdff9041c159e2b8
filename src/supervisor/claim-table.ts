/**
 * Claims by job number. Numbers come in runs, thousands come and go in a second, and a Map of them is copied each time
 * that it has been filled and emptied once: here a run of sixteen shares one entry.
 */
import type { Claim } from './claims.ts'

const runLength = 16

interface Run {
  count: number
  readonly claims: (Claim | undefined)[]
}

export class ClaimTable {
  readonly #runs = new Map<number, Run>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(seq: number): Claim | undefined {
    return this.#runs.get(Math.floor(seq / runLength))?.claims[seq % runLength]
  }

  /** In no particular order. What is removed meanwhile may be missed, as with a Map. */
  *all(): IterableIterator<Claim> {
    for (const { claims } of this.#runs.values()) {
      for (const claim of claims) if (claim !== undefined) yield claim
    }
  }

  /** Must not be there already. */
  add(claim: Claim): void {
    const key = Math.floor(claim.seq / runLength)
    let run = this.#runs.get(key)
    if (run === undefined) {
      run = { count: 0, claims: new Array<Claim | undefined>(runLength).fill(undefined) }
      this.#runs.set(key, run)
    }
    run.claims[claim.seq % runLength] = claim
    run.count++
    this.#size++
  }

  /** False: it was not there. */
  remove({ seq }: Claim): boolean {
    const key = Math.floor(seq / runLength)
    const run = this.#runs.get(key)
    if (run?.claims[seq % runLength] === undefined) return false
    run.claims[seq % runLength] = undefined
    this.#size--
    if (--run.count === 0) this.#runs.delete(key)
    return true
  }
}
