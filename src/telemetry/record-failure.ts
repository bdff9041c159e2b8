import type { Span, SpanStatusCode } from '@opentelemetry/api'
import type { PlainError } from '../errors.ts'
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
  { name, message, stack = '', code }: PlainError,
  at?: number,
  values: Iterable<string> = [],
): void {
  const secrets = secretsIn(values)
  const told = redactText(message, secrets)
  span.recordException({ name, message: told, stack: redactText(stack, secrets) }, at)
  span.setAttribute('error.type', code ?? name)
  span.setStatus({ code: error, message: told })
}
