import { inspect } from 'node:util'

/** Before a handler, which shares the thread, may put another in its place. */
const { stringify: stringifyJson } = JSON

const describedCharacters = 200

/** A short, safe rendering of any value for a message. */
export function describe(value: unknown, limit = describedCharacters): string {
  if (typeof value === 'string') return shorten(stringifyJson(value), limit)
  if (typeof value === 'bigint') return `${shorten(String(value), limit)}n (a bigint)`
  if (typeof value === 'object' && value !== null) return shorten(asJson(value) ?? inspected(value), limit)
  return shorten(String(value), limit)
}

/**
 * Runs code of the value's own, as its `toJSON`. Undefined: JSON cannot carry it, or would show nothing of it, or that
 * code threw.
 */
function asJson(value: object): string | undefined {
  try {
    const json: unknown = stringifyJson(value)
    // Of a date that is none.
    if (json === 'null') return undefined
    return typeof json === 'string' && json !== '{}' ? json : undefined
  } catch {
    return undefined
  }
}

/** Little code of the value's own runs for it, as what makes the message of an error; what that throws goes no further. */
function inspected(value: object): string {
  try {
    // Without its stack.
    if (value instanceof Error) return `${value.name}: ${value.message}`
    return inspect(value, {
      customInspect: false,
      depth: 3,
      maxArrayLength: 20,
      maxStringLength: 1_000,
      breakLength: Number.POSITIVE_INFINITY,
    })
  } catch {
    return 'an object'
  }
}

export function shorten(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text
}
