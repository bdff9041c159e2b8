/**
 * Jobs whose time runs out in the queue.
 *
 * A time to live counts for the first attempt only, a deadline for all of them. What waits when its time comes is ended,
 * claimed or not, as long as its handler has not begun; the thread looks at the time too, before it begins one. A
 * retry that could begin only after the deadline is not waited for: the job ends with the failure that it has.
 */
import type { JobSeq } from '../job/id.ts'
import { isFinal } from '../job/state.ts'
import type { ExpirationRow, JobPolicy } from '../store/rows.ts'
import type { Changes } from './changes.ts'
import type { Claim } from './claims.ts'
import { finish } from './finish.ts'

/** The wall time after which an attempt must not begin. */
export function notAfter(policy: JobPolicy | undefined, attempt: number): number | undefined {
  if (policy === undefined) return undefined
  const { deadline, ttlEndsAt } = policy
  const ttl = attempt === 1 ? ttlEndsAt : undefined
  return ttl === undefined || deadline === undefined ? (ttl ?? deadline) : Math.min(ttl, deadline)
}

/** Has a new job looked at when its time comes. */
export function expireLater(changes: Changes, seq: JobSeq, policy: JobPolicy | undefined): void {
  if (policy === undefined) return
  const { deadline, ttlEndsAt } = policy
  for (const [kind, expiresAt] of [['ttl', ttlEndsAt] as const, ['deadline', deadline] as const]) {
    if (expiresAt === undefined) continue
    const at = Math.ceil(expiresAt)
    changes.writer.expirationAdd(at, seq, kind)
    changes.dueAt = Math.min(at, changes.dueAt ?? at)
  }
}

/** Ends what has waited too long: at most `limit` jobs. */
export function expireDue(changes: Changes, now: number, limit: number): void {
  for (const row of changes.writer.expirationsTake(now, limit)) expireJob(changes, row, now)
}

/** Ends a claimed job whose handler has not begun, and must not any more. */
export function skip(changes: Changes, claim: Claim, now: number): void {
  const ttlEndsAt = claim.attempt === 1 ? claim.policy?.ttlEndsAt : undefined
  const byTtl = ttlEndsAt !== undefined && ttlEndsAt <= (claim.policy?.deadline ?? Number.POSITIVE_INFINITY)
  finish(changes, claim, byTtl ? 'SKIPPED_TTL' : 'SKIPPED_DEADLINE', null, now)
}

function expireJob(changes: Changes, { seq, kind }: ExpirationRow, now: number): void {
  const { claims, writer } = changes
  const state = kind === 'ttl' ? 'SKIPPED_TTL' : 'SKIPPED_DEADLINE'
  const claim = claims.get(seq)
  if (claim !== undefined) {
    if (kind === 'ttl' && claim.attempt > 1) return
    if (claims.hold(claim)) finish(changes, claim, state, null, now)
    return
  }
  const head = writer.jobHead(seq)
  if (head === undefined || isFinal(head.state)) return
  if (kind === 'ttl' && (writer.jobGet(seq)?.attempt ?? 0) > 0) return
  changes.endWaiting(head, state, now, null)
}
