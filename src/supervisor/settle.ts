/**
 * Records how attempts ended, and decides what comes next.
 *
 * An outcome counts only while the claim is still the batch's: of a job that was taken back, or settled by somebody
 * else, nothing happens.
 */
import { unreachable } from '../errors.ts'
import type { AttemptEnd, Outcomes } from '../execution/messages.ts'
import type { DispatchedBatch } from './batch.ts'
import type { Changes } from './changes.ts'
import type { Claim } from './claims.ts'
import { addJob, factsOf } from './enqueue.ts'
import { failAttempt } from './fail-attempt.ts'
import { finish, putBack } from './finish.ts'
import { interruptAttempt } from './interruptions.ts'
import type { LastingPart } from './lasting-commands.ts'
import { keepLeavings } from './leavings.ts'

export function applyOutcomes(changes: Changes, batch: DispatchedBatch, outcomes: Outcomes): void {
  try {
    recordOutcomes(changes, batch, outcomes)
  } catch (error) {
    // Whatever else is applied until they can be recorded: what has ended is neither judged nor put back.
    for (const claim of claimsOf(batch, outcomes)) changes.claims.setAside(claim)
    throw error
  }
}

/** The same one by one, after all together have failed. */
export function outcomesByClaim(
  changes: Changes,
  batch: DispatchedBatch,
  outcomes: Outcomes,
): readonly LastingPart[] {
  const { succeeded, results, others } = outcomes
  const none = { batch: outcomes.batch, succeeded: [], results: undefined, others: [] }
  const single = [
    ...succeeded.map((index, place) => ({ ...none, succeeded: [index], results: [results?.[place]] })),
    ...others.map((end) => ({ ...none, others: [end] })),
  ]
  return single.flatMap((one) =>
    claimsOf(batch, one).map((claim) => ({ claim, apply: () => applyOutcomes(changes, batch, one) })),
  )
}

function claimsOf(batch: DispatchedBatch, { succeeded, others }: Outcomes): Claim[] {
  const indexes = [...succeeded, ...others.map(({ index }) => index)]
  return indexes.flatMap((index) => {
    const claim = batch.claims[index]
    return claim?.batch === batch ? [claim] : []
  })
}

function recordOutcomes(changes: Changes, batch: DispatchedBatch, outcomes: Outcomes): void {
  const now = changes.clock.wallMs()
  const nowMonotonicMs = changes.clock.monotonicMs()
  // The threads' clocks agree to a fraction of a millisecond: an attempt must not seem to begin after it ended.
  const startedAt = (index: number) =>
    Math.min(now, Math.round(now - (nowMonotonicMs - batch.control.startedAtMs(index))))
  const { metering } = changes
  const ended: Claim[] = []
  const run = new DoneRun(changes, now)
  for (let place = 0; place < outcomes.succeeded.length; place++) {
    const index = outcomes.succeeded[place] ?? 0
    const claim = batch.claims[index]
    if (claim === undefined || !batch.owns(claim)) continue
    claim.jobType.observe(batch.control.costMs(index))
    if (metering !== undefined) ended.push(claim)
    const result = outcomes.results?.[place]
    if (run.add(claim, result, startedAt(index))) continue
    // Told in the order in which they ended.
    run.settle()
    settleDone(changes, claim, result, startedAt(index), now)
  }
  run.settle()
  for (const end of outcomes.others) {
    const claim = batch.claims[end.index]
    if (claim === undefined || !batch.owns(claim)) continue
    // One that has not run says nothing of what the others take.
    if (end.kind !== 'expired') {
      claim.jobType.observe(batch.control.costMs(end.index))
      if (metering !== undefined) ended.push(claim)
    }
    applyEnd(changes, claim, end, startedAt(end.index), now)
  }
  if (metering !== undefined && ended.length > 0) changes.afterCommit(() => metering.ended(batch, ended))
}

/**
 * Successes that one statement can record: of neighbours, without a result, about which nothing else is to be decided.
 * Tiny jobs, of which a thread runs hundreds in a millisecond, are nearly all so.
 */
class DoneRun {
  readonly #changes: Changes
  readonly #now: number
  #claims: Claim[] = []
  #startedAt = 0

  constructor(changes: Changes, now: number) {
    this.#changes = changes
    this.#now = now
  }

  /** False: it is not for a run, and must be settled by itself. */
  add(claim: Claim, result: string | undefined, startedAt: number): boolean {
    const { supersededBy, cancelRequested } = claim.fate
    if (result !== undefined || claim.attempt !== 1 || supersededBy !== null || cancelRequested) return false
    const last = this.#claims.at(-1)
    const continues =
      last !== undefined &&
      claim.seq === last.seq + 1 &&
      claim.queue === last.queue &&
      startedAt === this.#startedAt
    if (!continues) this.settle()
    this.#claims.push(claim)
    this.#startedAt = startedAt
    return true
  }

  settle(): void {
    const claims = this.#claims
    const [first] = claims
    const last = claims.at(-1)
    if (first === undefined || last === undefined) return
    this.#claims = []
    const durationMs = this.#now - this.#startedAt
    const { writer } = this.#changes
    if (writer.jobsSettleDone(first.seq, last.seq, first.queue, this.#startedAt, this.#now)) {
      for (const claim of claims) endDone(this.#changes, claim, undefined, durationMs)
      return
    }
    // Somebody else won some of them: those are not done by us.
    for (const claim of claims) {
      if (writer.jobHead(claim.seq)?.state === 'DONE') {
        endDone(this.#changes, claim, undefined, durationMs)
      } else {
        this.#changes.claims.end(claim)
      }
    }
  }
}

/** Records one attempt that did not merely succeed. */
export function applyEnd(
  changes: Changes,
  claim: Claim,
  end: AttemptEnd,
  startedAt: number,
  now: number,
): void {
  if (end.leavings !== undefined) keepLeavings(changes, claim, end.leavings)
  switch (end.kind) {
    case 'succeeded-with-more':
      if (!settleDone(changes, claim, end.result, startedAt, now)) return
      for (const child of end.children) {
        const { jobType, payload, options, traceparent } = child
        const origin = { parent: claim.seq, traceparent: traceparent ?? null }
        addJob(changes, factsOf(jobType, payload, options, now, origin), options ?? {}, now)
      }
      return
    case 'failed':
      failAttempt(changes, claim, { cause: end.cause, error: end.error }, end.verdict, startedAt, now)
      return
    case 'expired':
      putBack(changes, claim, { runAt: undefined, startedAt: null, now, suspicion: claim.suspicion })
      return
    case 'interrupted':
      interruptAttempt(changes, claim, end.error, startedAt, now)
      return
    case 'gave-way':
      break
    default:
      unreachable(end)
  }
  switch (end.reason) {
    case 'timed-out':
      failAttempt(changes, claim, { cause: 'TIMED_OUT', error: end.error }, end.verdict, startedAt, now)
      return
    case 'stopping':
      if (putBack(changes, claim, { runAt: undefined, startedAt, now, suspicion: 0 })) {
        changes.afterCommit(() => {
          changes.putBackRunning++
        })
      }
      return
    case 'cancelled':
      finish(changes, claim, 'CANCELLED', startedAt, now)
      return
    case 'superseded':
    case 'failed':
    case 'none':
      putBack(changes, claim, { runAt: undefined, startedAt, now, suspicion: 0 })
      return
    default:
      unreachable(end.reason)
  }
}

function settleDone(
  changes: Changes,
  claim: Claim,
  result: string | undefined,
  startedAt: number,
  now: number,
): boolean {
  if (claim.fate.cancelRequested) {
    finish(changes, claim, 'CANCELLED', startedAt, now)
    return false
  }
  const settled = changes.writer.jobSettleDone(claim.seq, claim.attempt, claim.queue, startedAt, now, result)
  if (settled) endDone(changes, claim, result, now - startedAt)
  else changes.claims.end(claim)
  return settled
}

/** The job is recorded as DONE. */
function endDone(changes: Changes, claim: Claim, result: string | undefined, durationMs: number): void {
  changes.claims.end(claim)
  changes.transitions?.record(claim, 'RUNNING', 'DONE', durationMs)
  changes.forgetTimes(claim.seq, claim.policy)
  changes.reportSettled(claim, () => ({ state: 'DONE', result, failure: undefined, supersededBy: undefined }))
  changes.releaseNext(claim.fate.supersededBy)
}
