import { type PlainError, toPlainError } from '../errors.ts'
import type { FailureCause } from '../job/failure-cause.ts'
import { verdictOf } from '../job/verdict.ts'
import type { AttemptEnd, Leavings } from './messages.ts'

/** What is laid down, or sent. */
export type AnyEnd =
  | AttemptEnd
  | { readonly kind: 'succeeded'; readonly index: number; readonly result: string | undefined }

export function failed(index: number, cause: FailureCause, thrown: unknown, fatal: boolean): AttemptEnd {
  const error: PlainError = toPlainError(thrown)
  const verdict = fatal ? ({ kind: 'fatal' } as const) : verdictOf(thrown)
  return { kind: 'failed', index, cause, error, verdict }
}

/** The same with what the attempt has left behind. */
export function withLeavings(end: AnyEnd, leavings: Leavings): AnyEnd {
  if (end.kind !== 'succeeded') return { ...end, leavings }
  const { index, result } = end
  return { kind: 'succeeded-with-more', index, result, children: [], leavings }
}
