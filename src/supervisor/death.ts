/**
 * What becomes of the jobs of a thread that died, or was ended because one of them did not give way.
 *
 * Of the handlers that had begun, those whose grace was over are the reason, and end as they were asked to; one that
 * called for the end of the thread is charged with it; all others are not charged. Nor is anybody charged where the
 * thread was ended by force (the handler that it was ended for may have settled in the last moment), or by what a job
 * had left behind that has ended since. Where none of this is so, one that had begun alone is the cause, and is charged,
 * unless the cause may be a job that has ended. What threw may also be of no job as far as anybody can tell, such as a
 * connection of a module: then one that had begun alone is charged only if it was a suspect before, so that it was alone
 * twice. Of several nobody knows which it was: they run alone next. Handlers that had ended, but whose outcomes died with
 * the thread, run again. A program does nothing in its thread but be waited for: it is never the cause, and runs again.
 */
import type { PlainError } from '../errors.ts'
import { spanEndOf } from '../execution/attempt-ends.ts'
import type { AttemptEnd } from '../execution/messages.ts'
import type { DeathCause } from '../job/failure-cause.ts'
import type { DispatchedBatch } from './batch.ts'
import type { Changes } from './changes.ts'
import type { Claim } from './claims.ts'
import { failAttempt } from './fail-attempt.ts'
import { failedAttempt } from './failed-attempt.ts'
import { finish, isPoison, putBack, type Return } from './finish.ts'
import type { LastingPart } from './lasting-commands.ts'
import { reportLost } from './lost-attempt.ts'
import type { JobFailure } from './messages.ts'
import type { Blame } from './pool-thread.ts'
import { applyEnd } from './settle.ts'

export interface JudgedDeath {
  readonly cause: DeathCause
  readonly error: PlainError
  readonly blame: Blame
}

/** To be applied after everything that the thread has sent. */
export function judgeDeath(changes: Changes, batches: readonly DispatchedBatch[], death: JudgedDeath): void {
  for (const { apply } of sentences(changes, batches, death)) apply()
}

/** The same job by job, after all together have failed. */
export function deathByClaim(
  changes: Changes,
  batches: readonly DispatchedBatch[],
  death: JudgedDeath,
): readonly LastingPart[] {
  const parts = sentences(changes, batches, death)
  for (const { claim } of parts) changes.claims.setAside(claim)
  return parts
}

/** What becomes of each, which hangs on what the others did: decided for all of them before anything is changed. */
function sentences(
  changes: Changes,
  batches: readonly DispatchedBatch[],
  { cause, error, blame }: JudgedDeath,
): LastingPart[] {
  const now = changes.clock.wallMs()
  const nowMonotonicMs = changes.clock.monotonicMs()
  const started = batches.flatMap((batch) => batch.startedWork())
  const isBlamed = (claim: Claim) => claim.batch?.control.hasExited(claim.index) ?? false
  const isKnown =
    blame === 'none' ||
    batches.some((batch) => batch.started().some((claim) => claim.isCondemned || isBlamed(claim)))
  const judge = (batch: DispatchedBatch, claim: Claim) => {
    const startedAt = Math.min(now, Math.round(now - nowMonotonicMs + batch.control.startedAtMs(claim.index)))
    const back = { runAt: undefined, startedAt, now }
    const held = batch.thread.heldEnds.get(claim)
    if (held !== undefined) return () => endHeld(changes, claim, held, startedAt, now)
    if (claim.isCondemned) return () => endCondemned(changes, batch, claim, startedAt, now)
    if (!started.includes(claim)) return () => putBackLost(changes, claim, { ...back, suspicion: 0 })
    if (isBlamed(claim)) return () => chargeDeath(changes, claim, { cause: 'EXITED', error }, startedAt, now)
    if (isKnown) return () => putBackLost(changes, claim, { ...back, suspicion: 0 })
    if (started.length > 1 || blame === 'unclear' || (blame === 'unowned' && claim.suspicion === 0))
      return () => putBackLost(changes, claim, { ...back, suspicion: 1 })
    return () => chargeDeath(changes, claim, { cause, error }, startedAt, now)
  }
  return batches.flatMap((batch) =>
    batch.claims
      .filter((claim) => batch.holds(claim))
      .map((claim) => {
        const sentence = judge(batch, claim)
        const { metering } = changes
        const hasBegun = started.includes(claim) || claim.isCondemned
        const apply = () => {
          // Also once it has been set aside.
          if (!batch.owns(claim)) return
          sentence()
          if (hasBegun && metering !== undefined)
            changes.afterCommit(() => metering.endedWithThread(batch, claim))
        }
        return { claim, apply }
      }),
  )
}

/** Nobody's fault: it runs again. */
function putBackLost(changes: Changes, claim: Claim, back: Return): void {
  reportLost(changes, claim, { outcome: 'interrupted' }, back.now)
  putBack(changes, claim, back)
}

/** It had failed before, and its handler has ended only with the thread. */
function endHeld(changes: Changes, claim: Claim, end: AttemptEnd, startedAt: number, now: number): void {
  reportLost(changes, claim, spanEndOf(end), now)
  applyEnd(changes, claim, end, startedAt, now)
}

/** The job was the only one that ran when its thread died. */
function chargeDeath(
  changes: Changes,
  claim: Claim,
  failure: JobFailure,
  startedAt: number,
  now: number,
): void {
  reportLost(changes, claim, { outcome: 'failed', failure: failure.error }, now)
  changes.recordAttempt(claim, failure, startedAt, now)
  if (isPoison(changes.writer.deathCount(claim.seq)) && !claim.fate.cancelRequested) {
    finish(changes, claim, 'FAILED', startedAt, now, failure)
    return
  }
  // Deaths are counted apart from failures.
  const { failures, jobType } = claim
  if (!putBack(changes, claim, { runAt: undefined, startedAt, now, suspicion: 1, failures })) return
  const failed = failedAttempt(claim, failure, startedAt, now)
  changes.report({ kind: 'job-retried', ...failed, state: jobType.waitingState, delayMs: 0 })
}

/** The thread was ended because this job had not given way within its grace. */
function endCondemned(
  changes: Changes,
  batch: DispatchedBatch,
  claim: Claim,
  startedAt: number,
  now: number,
): void {
  const graceMs = claim.jobType.graceMs.toLocaleString('en')
  const error: PlainError = {
    name: 'Ended',
    message: `The handler did not give way within ${graceMs} ms of its signal, so its thread was ended`,
  }
  const reason = batch.control.abortReason(claim.index)
  const lost = reason === 'timed-out' ? { outcome: reason, failure: error } : { outcome: reason }
  reportLost(changes, claim, lost, now)
  if (claim.fate.cancelRequested || reason === 'cancelled') {
    changes.recordAttempt(claim, { cause: 'CANCELLED', error }, startedAt, now)
    finish(changes, claim, 'CANCELLED', startedAt, now)
  } else if (reason === 'timed-out') {
    failAttempt(changes, claim, { cause: 'TIMED_OUT', error }, { kind: 'retry' }, startedAt, now)
  } else {
    putBack(changes, claim, { runAt: undefined, startedAt, now, suspicion: 0 })
  }
}
