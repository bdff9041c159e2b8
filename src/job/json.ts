import type { ErrorCode } from '../errors.ts'
import { engineError, hasCode, toPlainError } from '../errors.ts'

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue }

/**
 * As they were when this thread began: a handler shares the thread, and may put others in their place. A text is stored
 * for good, and what wrote it has to be JSON's own.
 */
export const { parse: parseJson, stringify: stringifyJson } = JSON

/** Longest JSON text of a payload or a result, in characters. */
export const maxJsonCharacters = 10_000_000

const maxDepth = 200

interface JsonErrors {
  readonly notJson: ErrorCode
  readonly tooLarge: ErrorCode
  readonly what: string
}

const payloadErrors: JsonErrors = {
  notJson: 'PAYLOAD_NOT_JSON',
  tooLarge: 'PAYLOAD_TOO_LARGE',
  what: 'payload',
}

const resultErrors: JsonErrors = { notJson: 'RESULT_NOT_JSON', tooLarge: 'RESULT_TOO_LARGE', what: 'result' }

/**
 * A payload as JSON text. Refuses whatever would come back as something else: `undefined` inside, Date, BigInt,
 * Map, class instances, NaN, cycles. JSON.stringify alone would drop or bend them in silence.
 *
 * @throws PAYLOAD_NOT_JSON naming the path, PAYLOAD_TOO_LARGE
 */
export function encodePayload(value: unknown): string {
  return encode(value === undefined ? null : value, payloadErrors)
}

/**
 * What a handler tells in short as JSON text.
 *
 * @throws RESULT_NOT_JSON naming the path, RESULT_TOO_LARGE
 */
export function encodeSummary(value: unknown): string {
  return encode(value, { ...resultErrors, what: 'summary' })
}

/** Where a summary is kept that is long, and what is kept in its place then. */
export const summaryArtifact = 'result-summary.json'
export const summaryInArtifact = stringifyJson({ artifact: summaryArtifact })

/**
 * A handler's return value as JSON text; `undefined` (no result) gives undefined.
 *
 * @throws RESULT_NOT_JSON naming the path, RESULT_TOO_LARGE
 */
export function encodeResult(value: unknown): string | undefined {
  return value === undefined ? undefined : encode(value, resultErrors)
}

function encode(value: unknown, errors: JsonErrors): string {
  const text = toText(value, errors)
  if (text.length > maxJsonCharacters) throw tooLarge(errors, text.length.toLocaleString('en'))
  return text
}

/** Looking at a value runs code of its owner, where it has getters or is a proxy: that may throw anything. */
function toText(value: unknown, errors: JsonErrors): string {
  try {
    if (!isPlainlyLossless(value, { characters: 0 }, 0)) refuseLossy(value, { errors, characters: 0 }, '', 0)
    return stringifyJson(value)
  } catch (error) {
    if (hasCode(error, errors.notJson) || hasCode(error, errors.tooLarge)) throw error
    throw lossy(errors, '', `something that threw when it was read: ${toPlainError(error).message}`)
  }
}

interface Size {
  /** JSON characters met so far, at least: ends the walk of a value that no string could hold. */
  characters: number
}

/**
 * A quick look that says yes to nearly all that may pass, and knows no paths. Of the rest `refuseLossy` says what is
 * wrong, if anything is: a `for in` also sees names that somebody has put on every object.
 */
function isPlainlyLossless(value: unknown, size: Size, depth: number): boolean {
  size.characters += typeof value === 'string' ? value.length + 2 : 1
  if (size.characters > maxJsonCharacters) return false
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value)
    case 'object':
      break
    default:
      return false
  }
  if (value === null) return true
  if (depth === maxDepth || 'toJSON' in value) return false
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      if (!isPlainlyLossless(value[index], size, depth + 1)) return false
    }
    return true
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  if (Object.getOwnPropertySymbols(value).length > 0) return false
  for (const name in value) {
    size.characters += name.length + 3
    // The boundary: it has this name, or inherits it.
    if (!isPlainlyLossless((value as Record<string, unknown>)[name], size, depth + 1)) return false
  }
  return true
}

interface Walk extends Size {
  readonly errors: JsonErrors
}

function refuseLossy(value: unknown, walk: Walk, path: string, depth: number): void {
  const { errors } = walk
  walk.characters += typeof value === 'string' ? value.length + 2 : 1
  if (walk.characters > maxJsonCharacters) {
    throw tooLarge(errors, `more than ${maxJsonCharacters.toLocaleString('en')}`)
  }
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return
    case 'number':
      if (!Number.isFinite(value)) throw lossy(errors, path, String(value))
      return
    case 'object':
      break
    default:
      throw lossy(errors, path, typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`)
  }
  if (value === null) return
  // Also ends cycles: whatever is this deep is refused before JSON.stringify would fail on it.
  if (depth === maxDepth) throw lossy(errors, path.slice(0, 100), `more than ${maxDepth} levels, or a cycle`)
  if (Array.isArray(value)) {
    refuseToJson(value, errors, path)
    for (let index = 0; index < value.length; index++) {
      refuseLossy(value[index], walk, `${path}[${index}]`, depth + 1)
    }
    return
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    const name = value.constructor?.name
    throw lossy(errors, path, typeof name === 'string' && name !== '' ? `a ${name}` : 'a class instance')
  }
  refuseToJson(value, errors, path)
  if (Object.getOwnPropertySymbols(value).length > 0)
    throw lossy(errors, path, 'an object with symbols as names')
  for (const [name, member] of Object.entries(value)) {
    walk.characters += name.length + 3
    refuseLossy(member, walk, path === '' ? name : `${path}.${name}`, depth + 1)
  }
}

/** JSON.stringify would store what that gives, also where all objects inherit it. */
function refuseToJson(value: object, errors: JsonErrors, path: string): void {
  if (!('toJSON' in value) || typeof value.toJSON !== 'function') return
  const found = Object.hasOwn(value, 'toJSON') ? 'a function' : 'a function that it inherits'
  throw lossy(errors, path === '' ? 'toJSON' : `${path}.toJSON`, found)
}

function tooLarge(errors: JsonErrors, characters: string): Error {
  return engineError(errors.tooLarge, {
    found: `The ${errors.what} has ${characters} characters of JSON`,
    allowed: `at most ${maxJsonCharacters.toLocaleString('en')}`,
    action: 'Store the data in a file and pass its path.',
  })
}

function lossy(errors: JsonErrors, path: string, found: string): Error {
  const place = path === '' ? `The ${errors.what} itself` : `The ${errors.what}'s ${path}`
  return engineError(errors.notJson, {
    found: `${place} is ${found}`,
    allowed: 'strings, finite numbers, booleans, null, arrays and plain objects of these',
    action: 'Convert it first, for example a Date to its ISO string.',
    details: { path },
  })
}
