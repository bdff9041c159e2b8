/**
 * Jobs whose attempt ended because an actor died while they waited for its reply.
 *
 * Such a job is put back, and not charged: mostly another message has killed the actor. But nobody knows which, and the
 * one that kills it each time would take it from everybody. So it comes back later each time, at random, so that those
 * that died together do not come together again; and an attempt that sees the actor die for the third time counts as
 * failed. Who asks while the actor is down has not killed it, and never counts.
 */
import type { PlainError } from '../errors.ts'
import type { JobSeq } from '../job/id.ts'
import type { Changes } from './changes.ts'
import type { Claim } from './claims.ts'
import { failAttempt } from './fail-attempt.ts'
import { putBack } from './finish.ts'

/** How long the first wait is at most: an actor needs about this long to come back. */
const firstDelayMs = 100
const delayFactor = 4
const longestDelayMs = 10_000
/** Deaths of an actor under one job that are not charged to it. */
const unchargedDeaths = 2
/** Of more jobs the one that was interrupted longest ago is forgotten: it is forgiven once more. */
const mostRemembered = 10_000

interface Count {
  /** How often the job was interrupted. */
  readonly times: number
  /** How often it was waiting for a reply when the actor died. */
  readonly deaths: number
}

const none: Count = { times: 0, deaths: 0 }

/** In memory alone: after a start everybody is forgiven anew. */
export class Interruptions {
  readonly #counts = new Map<JobSeq, Count>()

  of(seq: JobSeq): Count {
    return this.#counts.get(seq) ?? none
  }

  note(seq: JobSeq, count: Count): void {
    this.#counts.delete(seq)
    this.#counts.set(seq, count)
    if (this.#counts.size <= mostRemembered) return
    // A Map gives its members in the order of their adding.
    for (const oldest of this.#counts.keys()) {
      this.#counts.delete(oldest)
      return
    }
  }
}

/** @param error ACTOR_RESTARTED, as the handler let it through */
export function interruptAttempt(
  changes: Changes,
  claim: Claim,
  error: PlainError,
  startedAt: number,
  now: number,
): void {
  const before = changes.interruptions.of(claim.seq)
  const wasWaiting = error.details?.wasSent !== false
  const count = { times: before.times + 1, deaths: before.deaths + (wasWaiting ? 1 : 0) }
  // With the commit: a transaction may be rolled back, and applied again.
  changes.afterCommit(() => changes.interruptions.note(claim.seq, count))
  if (wasWaiting && count.deaths > unchargedDeaths) {
    failAttempt(changes, claim, { cause: 'THREW', error }, { kind: 'retry' }, startedAt, now)
    return
  }
  const runAt = now + delayAfter(count.times, changes.random())
  putBack(changes, claim, { runAt, startedAt, now, suspicion: 0 })
}

/** @param random a number in [0, 1) */
function delayAfter(times: number, random: number): number {
  const delayMs = Math.min(firstDelayMs * delayFactor ** (times - 1), longestDelayMs)
  return Math.round(delayMs * (1 - random / 2))
}
