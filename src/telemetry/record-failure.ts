import type { Span, SpanStatusCode } from '@opentelemetry/api'
import { type PlainError, textWithCauses } from '../errors.ts'

/** A literal, so that the API is not loaded for it. */
const error: SpanStatusCode.ERROR = 2

/** @param at wall time; by default now */
export function recordFailure(span: Span, failure: PlainError, at?: number): void {
  const { name, message, stack = '', code } = failure
  span.recordException({ name, message, stack }, at)
  span.setAttribute('error.type', code ?? name)
  span.setStatus({ code: error, message: textWithCauses(failure) })
}
