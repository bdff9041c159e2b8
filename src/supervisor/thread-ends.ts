import type { Clock } from '../clock.ts'
import { limits } from '../config.ts'
import { toPlainError } from '../errors.ts'
import type { AttemptEnd, LateThrow } from '../execution/messages.ts'
import { traceIdOf } from '../job/traceparent.ts'
import type { DispatchedBatch } from './batch.ts'
import type { Claim, Claims } from './claims.ts'
import type { JudgedDeath } from './death.ts'
import type { EngineEvent } from './messages.ts'
import type { PoolThread, ThreadDeath } from './pool-thread.ts'

interface Surroundings {
  /** Ends a thread by force. */
  end(thread: PoolThread): void
  emit(event: EngineEvent): void
  /** False: who dies now is ended by the stop, and what it ran is put back by that. */
  judges(): boolean
  /** Decides what becomes of the batches of a dead thread. */
  judge(batches: readonly DispatchedBatch[], death: JudgedDeath): void
}

/** What is done, and told, when a thread ends or has to be ended. */
export class ThreadEnds {
  readonly #clock: Clock
  readonly #claims: Claims
  readonly #surroundings: Surroundings

  constructor(clock: Clock, claims: Claims, surroundings: Surroundings) {
    this.#clock = clock
    this.#claims = claims
    this.#surroundings = surroundings
  }

  /** Handlers that do not listen are ended with their thread. Its death is judged when it comes. */
  graceOver(thread: PoolThread, claims: readonly Claim[]): void {
    const nowMs = this.#clock.monotonicMs()
    for (const claim of claims) {
      claim.isCondemned = true
      this.#surroundings.emit({
        kind: 'job-unresponsive',
        seq: claim.seq,
        jobType: claim.jobType.name,
        traceId: traceIdOf(claim.traceparent),
        ignoredForMs: Math.round(nowMs - claim.abortedAtMs),
      })
    }
    this.#surroundings.end(thread)
  }

  /** Nobody that runs is to blame: what was left behind is of a job that has ended. */
  hung(thread: PoolThread): void {
    const heldMs = limits.hungAfterMs.toLocaleString('en')
    thread.endedFor = new Error(
      `What a job had left behind when it ended kept the thread from going on for ${heldMs} ms`,
    )
    this.#surroundings.end(thread)
  }

  /** A job that still runs is told of with its outcome. */
  threwLater(thread: PoolThread, { seq, jobType, traceId, hasEnded, error, throws, end }: LateThrow): void {
    if (hasEnded) this.#surroundings.emit({ kind: 'job-threw-late', seq, jobType, traceId, error, throws })
    if (end !== undefined) this.#hold(thread, seq, end)
  }

  /**
   * A job has failed whose handler goes on, and no other handler of its subject may begin beside that. Where it is alone, its
   * thread is ended at once; for the sake of others it is given its grace.
   */
  #hold(thread: PoolThread, seq: number, end: AttemptEnd): void {
    const claim = this.#claims.get(seq)
    const batch = claim?.batch
    if (claim === undefined || batch?.thread !== thread || !batch.started().includes(claim)) return
    thread.heldEnds.set(claim, end)
    this.#claims.giveBack(thread.batches.flatMap((one) => one.takeBackWaiting()))
    if (isLeftToHeld(thread)) this.#surroundings.end(thread)
    else batch.abort(claim, 'failed', this.#clock.monotonicMs())
  }

  died(thread: PoolThread, { cause, error: thrown, blame }: ThreadDeath): void {
    const batches = [...thread.batches]
    this.#claims.giveBack(batches.flatMap((batch) => batch.takeBackWaiting()))
    if (!this.#surroundings.judges()) return
    const error = toPlainError(thread.endedFor ?? thrown)
    const condemned = batches.flatMap((batch) =>
      batch.claims.filter((claim) => claim.isCondemned && batch.holds(claim)),
    )
    const running = blame === 'none' ? [] : batches.flatMap((batch) => batch.startedWork())
    const suspects = (condemned.length > 0 ? condemned : running).map((claim) => claim.seq)
    // One that had done enough was meant to end.
    if (!thread.isRetired || (batches.length > 0 && !isLeftToHeld(thread)))
      this.#surroundings.emit({ kind: 'thread-died', threadId: thread.threadId, cause, error, suspects })
    this.#surroundings.judge(batches, { cause, error, blame })
  }
}

/** Whether nothing runs in it but handlers of jobs that have failed. */
function isLeftToHeld({ batches, heldEnds }: PoolThread): boolean {
  if (heldEnds.size === 0) return false
  return batches.every((batch) => batch.started().every((claim) => heldEnds.has(claim)))
}
