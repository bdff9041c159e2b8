/**
 * Jobs whose time runs out in the queue.
 *
 * A time to live counts for the first attempt only, a deadline for all of them. What waits when its time comes is ended,
 * claimed or not, as long as its handler has not begun; the thread looks at the time too, before it begins one. What
 * comes back after its deadline is ended by `putBack`. A retry that could begin only after the deadline is not waited
 * for: the job ends with the failure that it has.
 *
 * A row in `expirations` goes with the end of its job, and that of a time to live once the first attempt is known to have
 * begun. One whose job was ended in bulk stays until its time comes, and does nothing then.
 */
import { skippedStateAt } from '../job/expiration.ts'
import type { JobSeq } from '../job/id.ts'
import { isFinal } from '../job/state.ts'
import type { ExpirationRow, JobHead } from '../store/rows.ts'
import { type Changes, parsePolicy } from './changes.ts'
import { skip } from './finish.ts'

/** Has a new job looked at when its time comes. */
export function expireLater(changes: Changes, seq: JobSeq, policyText: string): void {
  const policy = parsePolicy(policyText)
  if (policy?.deadline === undefined && policy?.ttlEndsAt === undefined) return
  const claim = changes.claims.get(seq)
  // One of an older generation has ended as it was added.
  if (claim === undefined && isFinal(changes.writer.jobHead(seq)?.state ?? 'DONE')) return
  const first = changes.writer.expirations.add(seq, policy)
  if (first !== undefined) changes.dueAt = Math.min(first, changes.dueAt ?? first)
}

/** Ends what has waited too long; gives how many times it looked at, at most `limit`. */
export function expireDue(changes: Changes, now: number, limit: number): number {
  const due = changes.writer.expirations.take(now, limit)
  for (const row of due) expireJob(changes, row, now)
  return due.length
}

/** Ends a job that waits, claimed or not, if its time is over by now. */
export function endIfExpired(changes: Changes, head: JobHead, now: number): boolean {
  const policy = parsePolicy(head.policy)
  if (policy === undefined) return false
  const claim = changes.claims.get(head.seq)
  // One that runs and has no claim could not be recovered: it does not wait.
  if (claim === undefined && head.state === 'RUNNING') return false
  const attempt = claim?.attempt ?? (changes.writer.jobGet(head.seq)?.attempt ?? 0) + 1
  const state = skippedStateAt(policy, attempt, now)
  if (state === undefined) return false
  if (claim === undefined) {
    changes.endWaiting(head, state, now, null)
    return true
  }
  if (!changes.claims.hold(claim)) return false
  skip(changes, claim, state, null, now)
  return true
}

function expireJob(changes: Changes, { seq, kind }: ExpirationRow, now: number): void {
  const { claims, writer } = changes
  const state = kind === 'ttl' ? 'SKIPPED_TTL' : 'SKIPPED_DEADLINE'
  const claim = claims.get(seq)
  if (claim !== undefined) {
    if (claims.hold(claim)) skip(changes, claim, state, null, now)
    return
  }
  const head = writer.jobHead(seq)
  // One that runs and has no claim could not be recovered.
  if (head === undefined || isFinal(head.state) || head.state === 'RUNNING') return
  changes.endWaiting(head, state, now, null)
}
