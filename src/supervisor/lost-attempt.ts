import type { PlainError } from '../errors.ts'
import type { Changes } from './changes.ts'
import type { Claim } from './claims.ts'

/** How an attempt ended whose handler did not live to tell. */
export interface LostEnd {
  /** As the outcome of a span has it. */
  readonly outcome: string
  readonly failure?: PlainError | undefined
}

/** A thread that dies takes the spans of its attempts with it. The host records them in its place. */
export function reportLost(
  changes: Changes,
  { seq, jobType, queue, attempt, traceparent, batch, index }: Claim,
  { outcome, failure }: LostEnd,
  endedAt: number,
): void {
  if (traceparent === null || batch?.control.isStarted(index) !== true) return
  const ranMs = changes.clock.monotonicMs() - batch.control.startedAtMs(index)
  changes.report({
    kind: 'attempt-lost',
    seq,
    jobType: jobType.name,
    queue,
    attempt,
    traceparent,
    // A program that waits for its turn has not begun.
    startedAt: Math.min(endedAt, Math.round(endedAt - ranMs)),
    endedAt,
    outcome,
    failure,
  })
}
