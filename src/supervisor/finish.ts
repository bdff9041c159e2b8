/**
 * The ways in which a claim ends without success: for good, or put back.
 *
 * Everything that returns a job (retry, death of its thread, an actor's restart, stop) goes through `putBack`, which
 * ends an older generation as SUPERSEDED, a cancelled job as CANCELLED, and one that is out of time as skipped instead.
 */
import { type SkippedState, skippedStateAt } from '../job/expiration.ts'
import type { JobSeq } from '../job/id.ts'
import type { Changes } from './changes.ts'
import type { Claim } from './claims.ts'
import { failedAttempt } from './failed-attempt.ts'
import type { LastingPart } from './lasting-commands.ts'
import { reportLost } from './lost-attempt.ts'
import type { JobFailure } from './messages.ts'

/** Deaths alone after which a job is given up as poison. */
const maxDeaths = 2

/**
 * Ends a claimed job without a result.
 *
 * @param startedAt when its handler began; null: it has not, and the attempt is not counted
 */
export function finish(
  changes: Changes,
  claim: Claim,
  state: 'FAILED' | 'CANCELLED' | 'SUPERSEDED',
  startedAt: number | null,
  now: number,
  failure?: JobFailure,
): void {
  const { supersededBy } = claim.fate
  const countedAttempt = startedAt === null ? claim.attempt - 1 : claim.attempt
  const settled = changes.writer.jobSettle(claim.seq, claim.attempt, claim.queue, {
    state,
    startedAt,
    finishedAt: now,
    result: null,
    failures: claim.failures + (state === 'FAILED' ? 1 : 0),
    supersededBy: state === 'SUPERSEDED' ? supersededBy : null,
    countedAttempt,
  })
  changes.claims.end(claim)
  changes.forgetTimes(claim.seq, claim.policy)
  if (!settled) return
  const outcome = {
    state,
    result: undefined,
    failure,
    supersededBy: state === 'SUPERSEDED' ? (supersededBy ?? undefined) : undefined,
  }
  changes.reportSettled(claim, () => outcome, countedAttempt)
  // Of a failed attempt the event is what is logged.
  if (state === 'FAILED' && failure !== undefined)
    changes.report({ kind: 'job-failed', ...failedAttempt(claim, failure, startedAt, now) })
  else {
    const ended = { ...claim, attempt: countedAttempt }
    changes.transitions?.record(ended, 'RUNNING', state, durationMs(startedAt, now))
  }
  changes.releaseNext(supersededBy)
}

/** Ends a claim whose handler has not begun: a newer generation has come. */
export function settleSuperseded(changes: Changes, claim: Claim, supersededBy: JobSeq, now: number): void {
  changes.claims.doom(claim, { supersededBy })
  finish(changes, claim, 'SUPERSEDED', null, now)
}

/**
 * Ends a claimed job that runs out of time before its handler has begun, or begun once more.
 *
 * @param startedAt when its last handler began; null: it has not, and the attempt is not counted
 */
export function skip(
  changes: Changes,
  claim: Claim,
  state: SkippedState,
  startedAt: number | null,
  now: number,
): void {
  const countedAttempt = startedAt === null ? claim.attempt - 1 : claim.attempt
  const settled = changes.writer.jobSettle(claim.seq, claim.attempt, claim.queue, {
    state,
    startedAt,
    finishedAt: now,
    result: null,
    failures: claim.failures,
    supersededBy: null,
    countedAttempt,
  })
  changes.claims.end(claim)
  changes.forgetTimes(claim.seq, claim.policy)
  if (!settled) return
  const outcome = { state, result: undefined, failure: undefined, supersededBy: undefined }
  changes.reportSettled(claim, () => outcome, countedAttempt)
  const skipped = { ...claim, attempt: countedAttempt }
  changes.skips?.record(skipped, 'RUNNING', state, durationMs(startedAt, now))
  changes.releaseNext(claim.fate.supersededBy)
}

export interface Return {
  /** When it may run again; undefined: at once. */
  readonly runAt: number | undefined
  /** Null: its handler had not begun, and the attempt is not counted. */
  readonly startedAt: number | null
  readonly now: number
  readonly suspicion: number
  /** Given when it goes back since its attempt failed, which is told as such. */
  readonly failures?: number
}

function durationMs(startedAt: number | null, now: number): number | null {
  return startedAt === null ? null : now - startedAt
}

/**
 * Returns a claimed job that did not end. True: it will run again. One that was cancelled, whose subject has a newer
 * generation, or that will have run out of time by then, ends instead.
 */
export function putBack(changes: Changes, claim: Claim, back: Return): boolean {
  if (claim.fate.cancelRequested || claim.fate.supersededBy !== null) {
    const state = claim.fate.cancelRequested ? 'CANCELLED' : 'SUPERSEDED'
    finish(changes, claim, state, back.startedAt, back.now)
    return false
  }
  const hasBegun = back.startedAt !== null
  const nextAttempt = hasBegun ? claim.attempt + 1 : claim.attempt
  const skipped = skippedStateAt(claim.policy, nextAttempt, back.runAt ?? back.now)
  if (skipped !== undefined) {
    skip(changes, claim, skipped, back.startedAt, back.now)
    return false
  }
  const ttlEndsAt = claim.policy?.ttlEndsAt
  if (hasBegun && ttlEndsAt !== undefined) changes.writer.expirations.remove(claim.seq, { ttlEndsAt })
  const attempt = hasBegun ? claim.attempt : claim.attempt - 1
  const isBack = changes.writer.jobPutBack(claim.seq, claim.attempt, claim.queue, {
    jobType: claim.jobType.name,
    runAt: back.runAt,
    attempt,
    failures: back.failures ?? claim.failures,
    suspicion: back.suspicion,
  })
  changes.claims.end(claim)
  if (isBack && back.failures === undefined) {
    const state = back.runAt === undefined ? claim.jobType.waitingState : 'SCHEDULED'
    const duration = durationMs(back.startedAt, back.now)
    changes.transitions?.record({ ...claim, attempt }, 'RUNNING', state, duration)
  }
  if (back.runAt !== undefined) changes.dueAt = Math.min(back.runAt, changes.dueAt ?? back.runAt)
  if (back.suspicion > 0) changes.suspectsMayWait = true
  if (isBack && back.runAt === undefined && !claim.jobType.isProgram) changes.suspects.came(back.suspicion)
  return isBack
}

/** Whether a job that has died alone this often is given up. */
export function isPoison(deaths: number): boolean {
  return deaths >= maxDeaths
}

/** The engine stops: every one of these claims that is not decided about goes back as it was, uncharged. */
export function putBackAll(changes: Changes, claims: readonly Claim[], hasBegun: boolean): void {
  for (const claim of claims) if (!claim.isSetAside) putBackUncharged(changes, claim, hasBegun)
}

/** The same one by one, after all together have failed. */
export function putBackByClaim(
  changes: Changes,
  claims: readonly Claim[],
  hasBegun: boolean,
): readonly LastingPart[] {
  const open = claims.filter((claim) => !claim.isSetAside)
  for (const claim of open) changes.claims.setAside(claim)
  return open.map((claim) => ({ claim, apply: () => putBackUncharged(changes, claim, hasBegun) }))
}

function putBackUncharged(changes: Changes, claim: Claim, hasBegun: boolean): void {
  if (claim.place === 'gone') return
  const now = changes.clock.wallMs()
  if (hasBegun) reportLost(changes, claim, { outcome: 'stopping' }, now)
  const suspicion = hasBegun ? 0 : claim.suspicion
  putBack(changes, claim, { runAt: undefined, startedAt: hasBegun ? now : null, now, suspicion })
  changes.afterCommit(() => {
    if (hasBegun) changes.putBackRunning++
    else changes.putBackWaiting++
  })
}
