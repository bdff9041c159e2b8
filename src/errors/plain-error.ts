/** Errors as they cross threads and are stored: what a person needs to find the cause, within bounds. */
import { types } from 'node:util'
import { describe, shorten } from './describe.ts'

/** An error as plain data, so that it crosses threads and rows with its code. */
export interface PlainError {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly details?: Readonly<Record<string, unknown>>
  /** What it was thrown for. */
  readonly cause?: PlainError
  /** Of an AggregateError: those that it stands for. */
  readonly errors?: readonly PlainError[]
}

/** Before a handler, which shares the thread, may put others in their place. */
const { parse: parseJson, stringify: stringifyJson } = JSON

const maxCharacters = { message: 8_000, stack: 8_000 }
/** Of a cause: a row holds several. */
const maxCauseCharacters = { message: 1_000, stack: 2_000 }
/** How long a chain of causes may be, and how many there may be in all. */
const maxCauseDepth = 5
const maxCauses = 10
const thrownCharacters = 1_000

/** @param hasDetails whether errors with this code are known to have details that can be kept */
export function plainErrorOf(thrown: unknown, hasDetails: (code: string) => boolean): PlainError {
  try {
    if (!isError(thrown))
      return { name: 'NonError', message: `Thrown: ${describe(thrown, thrownCharacters)}` }
    const plain = plainly(thrown, maxCharacters)
    const { code } = plain
    return {
      ...plain,
      ...(code !== undefined && hasDetails(code) && 'details' in thrown ? plainDetails(thrown.details) : {}),
      ...new CauseWalk(thrown).causesOf(thrown, maxCauseDepth),
    }
  } catch {
    return { name: 'NonError', message: 'Thrown: something whose properties cannot be read' }
  }
}

/** The message, and in brackets what caused it, down to the root. */
export function textWithCauses({ message, code = '', cause, errors }: PlainError): string {
  const causes = [
    ...(cause === undefined ? [] : [`cause: ${namedText(cause)}`]),
    ...(errors === undefined ? [] : [`errors: ${errors.map(namedText).join('; ')}`]),
  ]
  // An AggregateError of Node has a code and no text.
  return [message === '' ? code : message, ...causes.map((text) => `(${text})`)]
    .filter((text) => text !== '')
    .join(' ')
}

function namedText(plain: PlainError): string {
  const text = textWithCauses(plain)
  return plain.name === 'NonError' ? text : `${plain.name}: ${text}`
}

/** Also of an error of another realm, such as a sandbox. */
function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || types.isNativeError(thrown)
}

function plainly(error: Error, most: typeof maxCharacters): PlainError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return {
    name: String(error.name),
    message: shorten(String(error.message), most.message),
    ...(code === undefined ? {} : { code }),
    ...(typeof error.stack === 'string' ? { stack: error.stack.slice(0, most.stack) } : {}),
  }
}

/** Details as rows and threads can carry them; none when they cannot, since losing them is better than the error. */
function plainDetails(details: unknown): Pick<PlainError, 'details'> {
  try {
    const plain: unknown = parseJson(stringifyJson(details))
    return typeof plain === 'object' && plain !== null ? { details: { ...plain } } : {}
  } catch {
    return {}
  }
}

/** Follows causes, each once and so many at the most. What cannot be read is left out. */
class CauseWalk {
  readonly #seen: Set<unknown>

  constructor(error: Error) {
    this.#seen = new Set([error])
  }

  causesOf(error: Error, depth: number): Pick<PlainError, 'cause' | 'errors'> {
    if (depth === 0) return {}
    try {
      const cause = 'cause' in error ? this.#toCause(error.cause, depth) : undefined
      const errors = errorsOf(error).flatMap((one) => this.#toCause(one, depth) ?? [])
      return { ...(cause === undefined ? {} : { cause }), ...(errors.length === 0 ? {} : { errors }) }
    } catch {
      return {}
    }
  }

  #toCause(cause: unknown, depth: number): PlainError | undefined {
    if (cause === undefined || cause === null || this.#seen.has(cause) || this.#seen.size > maxCauses)
      return undefined
    this.#seen.add(cause)
    try {
      if (isError(cause)) return { ...plainly(cause, maxCauseCharacters), ...this.causesOf(cause, depth - 1) }
      return { name: 'NonError', message: describe(cause, thrownCharacters) }
    } catch {
      return undefined
    }
  }
}

/** Other errors than an AggregateError may have a list of that name, of whatever. */
function errorsOf(error: Error): readonly unknown[] {
  if (!('errors' in error) || !Array.isArray(error.errors)) return []
  const errors: readonly unknown[] = error.errors.slice(0, maxCauses)
  return error.name === 'AggregateError' ? errors : errors.filter(isError)
}
