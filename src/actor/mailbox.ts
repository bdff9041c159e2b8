import { assert } from '../errors.ts'

/** The bounds of one lane. */
export interface LaneLimits {
  /** Messages that may wait; one more is refused. */
  readonly capacity: number
  /** Share of a take that this lane gets at least, 0 to 1, when it has that much waiting. All shares: at most 1. */
  readonly minimumShare: number
}

/**
 * The bounded queue in front of an actor, in lanes. Earlier lanes go first, but each gets its minimum share, so that
 * none starves. Pure: no timers, no threads. Each message costs O(1), whatever waits, and a drained lane holds nothing.
 */
export class Mailbox<Lane extends string, Message> {
  readonly #lanes = new Map<string, Waiting<Message>>()
  #size = 0

  /** @param lanes in the order of precedence */
  constructor(lanes: Readonly<Record<Lane, LaneLimits>>) {
    let shares = 0
    for (const [name, limits] of Object.entries<LaneLimits>(lanes)) {
      assert(limits.capacity >= 1, `lane ${name} holds at least one message`)
      assert(limits.minimumShare >= 0, `the share of lane ${name} is not negative`)
      shares += limits.minimumShare
      this.#lanes.set(name, new Waiting(limits))
    }
    assert(shares <= 1 + rounding, 'the minimum shares of all lanes are at most the whole')
  }

  /** Adds a message at the end of its lane. False: the lane is full, and nothing was added. */
  offer(lane: Lane, message: Message): boolean {
    const added = this.#laneOf(lane).add(message)
    if (added) this.#size += 1
    return added
  }

  /**
   * Removes at most `limit` messages: oldest first within a lane, and earlier lanes first. A minimum share is of `limit`,
   * rounded down.
   */
  take(limit: number): Message[] {
    const taken: Message[] = []
    let spare = limit
    for (const lane of this.#lanes.values()) spare -= lane.shareOf(limit)
    for (const lane of this.#lanes.values()) {
      const share = lane.shareOf(limit)
      const extra = Math.min(spare, lane.size - share)
      spare -= extra
      lane.moveTo(taken, share + extra)
    }
    this.#size -= taken.length
    return taken
  }

  sizeOf(lane: Lane): number {
    return this.#laneOf(lane).size
  }

  get size(): number {
    return this.#size
  }

  #laneOf(lane: Lane): Waiting<Message> {
    const waiting = this.#lanes.get(lane)
    assert(waiting !== undefined, `the mailbox has a lane ${lane}`)
    return waiting
  }
}

/** 0.29 * 100 is 28.999…; without this the lane would lose a message of its share. */
const rounding = 1e-9

/** How many slots are filled before one array gives way to the next. */
const slotsPerBlock = 1_024

/**
 * One lane: a list of blocks, each released when it is empty. One array with a moving head would either copy what
 * waits again and again or keep what was taken.
 */
class Waiting<Message> {
  readonly #capacity: number
  readonly #minimumShare: number
  readonly #blocks = new Set<Message[]>()
  #last: Message[] = []
  /** Slots of the first block that were taken already. */
  #head = 0
  #size = 0

  constructor(limits: LaneLimits) {
    this.#capacity = limits.capacity
    this.#minimumShare = limits.minimumShare
  }

  get size(): number {
    return this.#size
  }

  shareOf(limit: number): number {
    return Math.min(this.#size, Math.floor(this.#minimumShare * limit + rounding))
  }

  add(message: Message): boolean {
    if (this.#size >= this.#capacity) return false
    if (this.#size === 0 || this.#last.length >= slotsPerBlock) {
      this.#last = []
      this.#blocks.add(this.#last)
    }
    this.#last.push(message)
    this.#size += 1
    return true
  }

  moveTo(target: Message[], count: number): void {
    let left = count
    // A Set gives its members in the order of their adding, and allows deleting the one at hand.
    for (const block of this.#blocks) {
      if (left === 0) return
      const end = Math.min(block.length, this.#head + left)
      for (const message of block.slice(this.#head, end)) target.push(message)
      left -= end - this.#head
      this.#size -= end - this.#head
      this.#head = end
      if (end === block.length) this.#release(block)
    }
  }

  /** `block` is the first, and all of it was taken. */
  #release(block: Message[]): void {
    this.#blocks.delete(block)
    this.#head = 0
    if (this.#size === 0) this.#last = []
  }
}
