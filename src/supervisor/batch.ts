import type { AbortReason } from '../execution/control-block.ts'
import { ControlBlock } from '../execution/control-block.ts'
import type { BatchTask, JobDetails } from '../execution/messages.ts'
import { defaultQueue } from '../job/spec.ts'
import type { Claim } from './claims.ts'
import type { PoolThread } from './pool.ts'

/** A batch that was given to a thread, as the supervisor sees it. */
export class DispatchedBatch {
  readonly number: number
  readonly thread: PoolThread
  readonly claims: readonly Claim[]
  readonly control: ControlBlock
  /** The first job that may not have ended yet. */
  #cursor = 0

  constructor(number: number, thread: PoolThread, claims: readonly Claim[]) {
    this.number = number
    this.thread = thread
    this.claims = claims
    this.control = ControlBlock.forJobs(claims.length)
    for (const [index, claim] of claims.entries()) {
      claim.place = 'dispatched'
      claim.batch = this
      claim.index = index
    }
  }

  task(): BatchTask {
    const { claims } = this
    const first = claims[0]
    const sameType = claims.every((claim) => claim.jobType === first?.jobType)
    const plain = claims.every(
      (claim) => claim.attempt === 1 && claim.subjectKey === null && claim.queue === defaultQueue,
    )
    return {
      kind: 'batch',
      batch: this.number,
      control: this.control.memory,
      seqs: claims.map((claim) => claim.seq),
      jobTypes: sameType ? (first?.jobType.name ?? '') : claims.map((claim) => claim.jobType.name),
      payloads: claims.map((claim) => claim.payload),
      details: plain ? undefined : claims.map(detailsOf),
    }
  }

  /** Whether the claim is still this batch's: it was neither ended nor taken back. */
  holds(claim: Claim): boolean {
    return claim.batch === this && claim.place === 'dispatched'
  }

  takeBack(claim: Claim): boolean {
    return this.holds(claim) && this.control.takeBack(claim.index)
  }

  /** Takes back every job that has not begun, but leaves the first `leave` of them. */
  takeBackWaiting(leave = 0): Claim[] {
    const taken: Claim[] = []
    let left = leave
    for (const claim of this.claims.slice(this.#cursor)) {
      if (!this.holds(claim) || !this.control.isWaiting(claim.index)) continue
      if (left > 0) {
        left--
      } else if (this.control.takeBack(claim.index)) {
        claim.place = 'held'
        taken.push(claim)
      }
    }
    return taken
  }

  waiting(): number {
    let waiting = 0
    for (const claim of this.claims.slice(this.#cursor)) {
      if (this.holds(claim) && this.control.isWaiting(claim.index)) waiting++
    }
    return waiting
  }

  /** The jobs whose handlers have begun and not ended. */
  started(): Claim[] {
    while (this.#cursor < this.claims.length && !this.#isOpen(this.#cursor)) this.#cursor++
    const started: Claim[] = []
    for (const claim of this.claims.slice(this.#cursor)) {
      if (this.holds(claim) && this.control.isStarted(claim.index)) started.push(claim)
      else if (this.control.isWaiting(claim.index)) break
    }
    return started
  }

  abort(claim: Claim, reason: AbortReason, nowMs: number): void {
    if (!this.holds(claim) || claim.abortedAtMs !== 0) return
    claim.abortedAtMs = nowMs
    this.control.abort(claim.index, reason)
    this.thread.notify({ kind: 'abort', batch: this.number, index: claim.index })
  }

  #isOpen(index: number): boolean {
    return this.control.isWaiting(index) || this.control.isStarted(index)
  }
}

function detailsOf(claim: Claim): JobDetails {
  return {
    attempt: claim.attempt,
    queue: claim.queue,
    subjectKey: claim.subjectKey ?? undefined,
    generation: claim.generation ?? undefined,
  }
}
