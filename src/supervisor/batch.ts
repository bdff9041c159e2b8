import { limits } from '../config.ts'
import type { AbortReason } from '../execution/control-block.ts'
import { ControlBlock } from '../execution/control-block.ts'
import type { BatchTask, JobDetails } from '../execution/messages.ts'
import { notAfter } from '../job/expiration.ts'
import { defaultQueue } from '../job/spec.ts'
import type { Claim } from './claims.ts'
import type { PoolThread } from './pool-thread.ts'

/** A batch that was given to a thread, as the supervisor sees it. */
export class DispatchedBatch {
  readonly number: number
  readonly thread: PoolThread
  readonly claims: readonly Claim[]
  readonly control: ControlBlock
  /** What its jobs were expected to take when it was made. */
  readonly estimatedMs: number
  /** When one of them ends, another may begin in its place, however much the threads have to do. */
  readonly hasPrograms: boolean
  #isOnlyPrograms = false
  /** The first job that may not have ended yet. */
  #cursor = 0

  constructor(number: number, thread: PoolThread, claims: readonly Claim[]) {
    this.number = number
    this.thread = thread
    this.claims = claims
    this.control = ControlBlock.forJobs(claims.length)
    let estimatedMs = 0
    let hasPrograms = false
    for (const [index, claim] of claims.entries()) {
      claim.place = 'dispatched'
      claim.batch = this
      claim.index = index
      estimatedMs += claim.jobType.estimateMs
      hasPrograms ||= claim.jobType.isProgram
    }
    this.estimatedMs = estimatedMs
    this.hasPrograms = hasPrograms
  }

  /** Whether nothing is left of it but programs that are waited for, which leaves its thread to others. */
  get isOnlyPrograms(): boolean {
    if (!this.hasPrograms || this.#isOnlyPrograms) return this.#isOnlyPrograms
    // Nothing is added to a batch: once so, it stays so.
    this.#isOnlyPrograms = this.waiting().length === 0 && this.startedWork().length === 0
    return this.#isOnlyPrograms
  }

  task(): BatchTask {
    const { claims } = this
    const firstSeq = claims[0]?.seq ?? 0
    const firstType = claims[0]?.jobType
    let areNeighbours = true
    let areSameType = true
    let arePlain = true
    let areLines = true
    for (let index = 0; index < claims.length; index++) {
      const claim = claims[index]
      if (claim === undefined) continue
      areNeighbours &&= claim.seq === firstSeq + index
      areSameType &&= claim.jobType === firstType
      arePlain &&= claim.attempt === 1 && claim.subjectKey === null && claim.queue === defaultQueue
      arePlain &&= claim.policy === undefined && claim.traceparent === null
      // No text that we have written has several lines, but who knows what came into the database.
      areLines &&= !claim.payload.includes('\n')
    }
    const payloads = claims.map((claim) => claim.payload)
    return {
      kind: 'batch',
      batch: this.number,
      control: this.control.memory,
      jobs: claims.length,
      seqs: areNeighbours ? firstSeq : claims.map((claim) => claim.seq),
      jobTypes: areSameType ? (firstType?.name ?? '') : claims.map((claim) => claim.jobType.name),
      payloads: areLines ? payloads.join('\n') : payloads,
      details: arePlain ? undefined : claims.map(detailsOf),
    }
  }

  /** Whether the claim is still this batch's: it was neither ended nor taken back. */
  owns(claim: Claim): boolean {
    return claim.batch === this && claim.place === 'dispatched'
  }

  /** Whether it is also open what becomes of it. */
  holds(claim: Claim): boolean {
    return this.owns(claim) && !claim.isSetAside
  }

  takeBack(claim: Claim): boolean {
    return this.holds(claim) && this.control.takeBack(claim.index)
  }

  /** Takes back every job that has not begun, but leaves the first `leave` of them. */
  takeBackWaiting(leave = 0): Claim[] {
    const taken: Claim[] = []
    let left = leave
    for (let index = this.#firstOpen(); index < this.claims.length; index++) {
      const claim = this.claims[index]
      if (claim === undefined || !this.#isWaitingHere(claim)) continue
      if (left > 0) {
        left--
      } else if (this.control.takeBack(index)) {
        claim.place = 'held'
        taken.push(claim)
      }
    }
    return taken
  }

  /** The jobs that have not begun. */
  waiting(): Claim[] {
    const waiting: Claim[] = []
    for (let index = this.#firstOpen(); index < this.claims.length; index++) {
      const claim = this.claims[index]
      if (claim !== undefined && this.#isWaitingHere(claim)) waiting.push(claim)
    }
    return waiting
  }

  /** The jobs whose handlers have begun and not ended. A thread begins them in order. */
  started(): Claim[] {
    const started: Claim[] = []
    for (let index = this.#firstOpen(); index < this.claims.length; index++) {
      const claim = this.claims[index]
      if (this.control.isWaiting(index)) break
      if (claim !== undefined && this.holds(claim) && this.control.isStarted(index)) started.push(claim)
    }
    return started
  }

  /** Of these, the ones that do their work in the thread: all but programs. */
  startedWork(): Claim[] {
    const started = this.started()
    return this.hasPrograms ? started.filter((claim) => !claim.jobType.isProgram) : started
  }

  /** How many of its handlers have ended. */
  ended(): number {
    return this.claims.filter(({ index }) => this.control.endedAtMs(index) > 0).length
  }

  /** Whether a handler has been running for so long that what waits behind it is better off elsewhere. */
  isStuck(nowMs: number): boolean {
    return this.startedWork().some(
      (claim) => nowMs - this.control.startedAtMs(claim.index) > limits.stuckAfterMs,
    )
  }

  abort(claim: Claim, reason: AbortReason, nowMs: number): void {
    if (!this.holds(claim) || claim.abortedAtMs !== 0) return
    claim.abortedAtMs = nowMs
    this.control.abort(claim.index, reason)
    this.thread.notify({ kind: 'abort', batch: this.number, index: claim.index })
  }

  #isWaitingHere(claim: Claim): boolean {
    return this.holds(claim) && this.control.isWaiting(claim.index)
  }

  /** What has ended or was taken back stays so: it is looked at once. */
  #firstOpen(): number {
    const { control, claims } = this
    while (
      this.#cursor < claims.length &&
      !control.isWaiting(this.#cursor) &&
      !control.isStarted(this.#cursor)
    ) {
      this.#cursor++
    }
    return this.#cursor
  }
}

function detailsOf(claim: Claim): JobDetails {
  return {
    attempt: claim.attempt,
    queue: claim.queue,
    subjectKey: claim.subjectKey ?? undefined,
    generation: claim.generation ?? undefined,
    notAfter: notAfter(claim.policy, claim.attempt),
    traceparent: claim.traceparent ?? undefined,
  }
}
