/**
 * Which claims may begin. While there are few all of them may, with the commit that made them. Of thousands, as a burst
 * leaves them, only those next in turn: each commit says of the others, durably, that they have not begun, and clears some
 * of them. So a death of the process makes suspects of what the threads had been given, or were about to be given, and
 * of nothing else, however much was claimed.
 *
 *   made ──► cleared                                 while there are few
 *   made ──► not cleared ──► chosen ──► cleared      of many
 *                 ▲            │   committed
 *                 └────────────┘
 *                  rolled back
 */
import { BlockRanges } from '../store/ranges.ts'
import type { Claim } from './claims.ts'

/** Chosen where the next one in turn could not begin otherwise, however many may begin. */
const leastChosen = 512

export class Clearance {
  /** So many may be cleared before others have to wait. */
  readonly #most: number
  readonly #waiting = new BlockRanges()
  #count = 0
  #chosen: Claim[] = []

  constructor(most: number) {
    this.#most = most
  }

  /** Whether one that is made needs no further commit. @param others how many there are, cleared or not */
  hasRoom(others: number): boolean {
    return this.#count === 0 && others < this.#most
  }

  /** To be called for every claim that is there from now on, or again. */
  add(claim: Claim): void {
    if (claim.isCleared) return
    this.#waiting.add(claim.seq)
    this.#count++
  }

  /** To be called for every claim that is there no more. */
  remove(claim: Claim): void {
    if (claim.isCleared) return
    this.#waiting.remove(claim.seq)
    this.#count--
  }

  /**
   * Chooses those that the commit under way clears.
   *
   * @param inTurn what waits for a thread, the next one first
   * @param others how many claims there are, cleared or not
   */
  choose(inTurn: Iterable<Claim>, others: number): void {
    if (this.#count === 0) return
    let room = this.#most - (others - this.#count)
    let isNext = true
    // No further than to those that may begin already: what is in front of them has a higher priority, and is what is needed.
    let isBeyond = false
    for (const claim of inTurn) {
      if (isNext && !claim.isCleared && room < leastChosen) {
        room = leastChosen
        isBeyond = true
      }
      isNext = false
      if (room <= 0 || (isBeyond && claim.isCleared)) return
      if (claim.isCleared) continue
      this.remove(claim)
      claim.isCleared = true
      this.#chosen.push(claim)
      room--
    }
  }

  committed(): void {
    if (this.#chosen.length > 0) this.#chosen = []
  }

  rolledBack(): void {
    for (const claim of this.#chosen) {
      claim.isCleared = false
      if (claim.place !== 'gone') this.add(claim)
    }
    this.#chosen = []
  }

  /** Ranges of job numbers in which no claim is that may have begun. @param claims where all of them are */
  encode(claims: BlockRanges): string {
    return this.#count === 0 ? '' : this.#waiting.encodeAlone(claims)
  }
}
