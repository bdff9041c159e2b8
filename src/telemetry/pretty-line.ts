/** A line of the log for people: one line of text for each line of JSON. */
import { Writable } from 'node:stream'
import { isatty } from 'node:tty'
import { styleText } from 'node:util'
import { type PlainError, textWithCauses } from '../errors.ts'

const colours = { ERROR: 'red', WARN: 'yellow', INFO: 'green', DEBUG: 'gray' } as const

/** What stands in the text already, or is too long for a line. */
const untold = new Set(['from_state', 'state'])

interface LogLine {
  readonly timestamp: string
  readonly level: keyof typeof colours
  readonly trace_id: string
  readonly target: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

/** How a word is shown in a colour. */
type Paint = (colour: 'red' | 'yellow' | 'green' | 'gray' | 'cyan' | 'bold', text: string) => string

/** Colours where stderr is a terminal; NO_COLOR, NODE_DISABLE_COLORS and FORCE_COLOR are heeded. */
export function paintForStderr(): Paint {
  // Where it is a pipe it is not touched: Node would make writes to it fail while it is full.
  const stream = isatty(2) ? process.stderr : new Writable()
  return (colour, text) => styleText(colour, text, { stream, validateStream: true })
}

export function prettyLine(json: string, paint: Paint): string {
  // The boundary where a line of our own gets its type again.
  const { timestamp, level, trace_id, target, fields, message } = JSON.parse(json) as LogLine
  const { state, from_state: from } = fields
  const states = state === undefined ? [] : [from === undefined ? `${state}` : `${from} → ${state}`]
  const facts = Object.entries({ ...fields, ...(trace_id === '' ? {} : { trace_id }) })
    .filter(([name]) => !untold.has(name))
    .map(([name, value]) => `${paint('cyan', name)}=${shown(value)}`)
  return `${[
    paint('gray', localTime(timestamp)),
    paint(colours[level], level.padEnd(5)),
    paint('gray', target),
    paint('bold', [message, ...states].join(' ')),
    ...facts,
  ].join(' ')}\n`
}

function localTime(timestamp: string): string {
  const time = new Date(timestamp)
  return `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, '0')}`
}

function shown(value: unknown): string {
  if (typeof value === 'string' && /^[\w.:/@+-]+$/.test(value)) return value
  // Of an error text and code are enough for a line; the stack is kept with the attempt.
  if (isError(value)) {
    const code = value.code ?? ''
    const text = `${value.name}: ${textWithCauses(value)}`
    return shown(text.includes(code) ? text : `${text} (${code})`)
  }
  // Nothing that a terminal would obey gets through.
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function isError(value: unknown): value is PlainError {
  return typeof value === 'object' && value !== null && 'message' in value && 'name' in value
}
