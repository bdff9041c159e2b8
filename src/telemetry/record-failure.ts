import type { Span, SpanStatusCode } from '@opentelemetry/api'
import { type PlainError, textWithCauses } from '../errors.ts'
import { redactText, secretsIn } from './redact.ts'

/** A literal, so that the API is not loaded for it. */
const error: SpanStatusCode.ERROR = 2

/**
 * What an error says goes to a collector without secrets, as it goes into the log.
 *
 * @param at wall time; by default now
 * @param values what is secret wherever it stands
 */
export function recordFailure(
  span: Span,
  failure: PlainError,
  at?: number,
  values: Iterable<string> = [],
): void {
  const { name, message, stack = '', code } = failure
  const secrets = secretsIn(values)
  const exception = { name, message: redactText(message, secrets), stack: redactText(stack, secrets) }
  span.recordException(exception, at)
  span.setAttribute('error.type', code ?? name)
  span.setStatus({ code: error, message: redactText(textWithCauses(failure), secrets) })
}
