/** What becomes of claims must not be lost, and what cannot be recorded of one must not keep the others from it. */
import { hasCode, toPlainError } from '../errors.ts'
import type { Outcomes } from '../execution/messages.ts'
import { traceIdOf } from '../job/traceparent.ts'
import type { DispatchedBatch } from './batch.ts'
import type { Changes } from './changes.ts'
import type { Claim } from './claims.ts'
import { deathByClaim, type JudgedDeath, judgeDeath } from './death.ts'
import { putBackAll, putBackByClaim } from './finish.ts'
import type { LastingCommands } from './lasting-commands.ts'
import type { EngineEvent } from './messages.ts'
import { applyOutcomes, outcomesByClaim } from './settle.ts'

type Lasting = Pick<LastingCommands, 'submit'>

export function submitOutcomes(
  lasting: Lasting,
  changes: Changes,
  batch: DispatchedBatch,
  outcomes: Outcomes,
): void {
  lasting.submit(
    () => applyOutcomes(changes, batch, outcomes),
    () => outcomesByClaim(changes, batch, outcomes),
  )
}

export function submitDeath(
  lasting: Lasting,
  changes: Changes,
  batches: readonly DispatchedBatch[],
  death: JudgedDeath,
): void {
  if (batches.length === 0) return
  lasting.submit(
    () => judgeDeath(changes, batches, death),
    () => deathByClaim(changes, batches, death),
  )
}

export function submitPutBack(
  lasting: Lasting,
  changes: Changes,
  claims: readonly Claim[],
  hasBegun: boolean,
): void {
  if (claims.length === 0) return
  lasting.submit(
    () => putBackAll(changes, claims, hasBegun),
    () => putBackByClaim(changes, claims, hasBegun),
  )
}

/**
 * Once the database is not where it was nothing is tried again.
 *
 * @param claim what could not be recorded is about it alone; undefined: it is not about one
 */
export function commitFailed(
  error: Error,
  retryInMs: number | undefined,
  claim: Claim | undefined,
): EngineEvent {
  const job = claim && {
    seq: claim.seq,
    jobType: claim.jobType.name,
    traceId: traceIdOf(claim.traceparent),
  }
  const againInMs = hasCode(error, 'DATABASE_MOVED') ? undefined : retryInMs
  return { kind: 'commit-failed', error: toPlainError(error), retryInMs: againInMs, job }
}
