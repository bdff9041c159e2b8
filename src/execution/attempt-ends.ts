import { type PlainError, toPlainError, unreachable } from '../errors.ts'
import { isProgram } from '../job/definition.ts'
import type { FailureCause } from '../job/failure-cause.ts'
import { parseJson } from '../job/json.ts'
import { envValuesOf } from '../job/program.ts'
import { verdictOf } from '../job/verdict.ts'
import type { SpanEnd } from '../telemetry/attempt-span.ts'
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

/** What the attempt's span says of its end. */
export function spanEndOf(end: AnyEnd): SpanEnd {
  switch (end.kind) {
    case 'succeeded':
    case 'succeeded-with-more':
      return { outcome: 'succeeded', failure: undefined }
    case 'failed':
      return { outcome: 'failed', failure: end.error }
    case 'gave-way':
      // Whoever asked it to give way got what they wanted, but for a time limit.
      return { outcome: end.reason, failure: end.reason === 'timed-out' ? end.error : undefined }
    case 'expired':
    case 'interrupted':
      return { outcome: end.kind, failure: undefined }
    default:
      return unreachable(end)
  }
}

/**
 * Values of the environment that a job, or its type, gives its program: they may stand in what that wrote.
 *
 * @param payload JSON text
 */
export function envValuesIn(definition: object, payload = 'null'): string[] {
  if (!isProgram(definition)) return []
  return [...envValuesOf(definition.program), ...envValuesOf(parseJson(payload))]
}
