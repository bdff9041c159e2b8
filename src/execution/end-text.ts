/**
 * How an attempt ended, as text for the outbox and back.
 *
 * Handlers share the thread with what writes here, and may bend what that uses: a `toJSON` on every object, or
 * methods of their own where those of the language were. So the text is believed only where it can be what was meant.
 */
import { describe } from '../errors.ts'
import { parseJson, stringifyJson } from '../job/json.ts'
import type { AttemptEnd } from './messages.ts'

/** Undefined: it would not come back as it is. */
export function endToText(end: AttemptEnd): string | undefined {
  // Every array inherits what somebody has put on all objects.
  if ('toJSON' in Array.prototype) return undefined
  try {
    const text: unknown = stringifyJson(end)
    return typeof text === 'string' ? text : undefined
  } catch {
    return undefined
  }
}

/** Undefined: it is not the end of this job. */
export function textToEnd(text: string, index: number): AttemptEnd | undefined {
  try {
    const end: unknown = parseJson(text)
    return isEnd(end, index) ? end : undefined
  } catch {
    return undefined
  }
}

/** What is recorded in place of it, so that the job ends in whatever way its policy says. */
export function unreadable(index: number, text: string): AttemptEnd {
  const message = `The handler ended in a way that cannot be read: ${describe(text)}. Does it change what its thread shares?`
  return {
    kind: 'failed',
    index,
    cause: 'THREW',
    error: { name: 'Error', message },
    verdict: { kind: 'retry' },
  }
}

/** The boundary where what the thread wrote gets its type again. */
function isEnd(end: unknown, index: number): end is AttemptEnd {
  if (!isObject(end) || end.index !== index) return false
  switch (end.kind) {
    case 'expired':
      return true
    case 'succeeded-with-more':
      return Array.isArray(end.children)
    case 'interrupted':
      return isPlainError(end.error)
    case 'failed':
      return typeof end.cause === 'string' && isPlainError(end.error) && isObject(end.verdict)
    case 'gave-way':
      return typeof end.reason === 'string' && isPlainError(end.error) && isObject(end.verdict)
    default:
      return false
  }
}

function isPlainError(error: unknown): boolean {
  return isObject(error) && typeof error.name === 'string' && typeof error.message === 'string'
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
