/** Where a text is no JSON, and why. `JSON.parse` says so for some mistakes only. */
export interface JsonFault {
  /** Both from 1. */
  readonly line: number
  readonly column: number
  readonly expected: string
  readonly found: string
}

const blank = /[ \t\r\n]*/y
const token =
  /[{}[\],:]|"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)/uy
/** What to show of something that is no token. */
const lump = /"[^\n]*|\/\/[^\n]*|[\w.'-]+|./uy

type Expectation = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or }' | ', or ]' | 'end'

const described: Readonly<Record<Expectation, string>> = {
  value: 'a value',
  'value or ]': 'a value or ]',
  name: 'a name in double quotes',
  'name or }': 'a name in double quotes, or }',
  ':': 'a colon',
  ', or }': 'a comma or }',
  ', or ]': 'a comma or ]',
  end: 'nothing more',
}

/** The first fault; undefined when the text is JSON. */
export function findJsonFault(text: string): JsonFault | undefined {
  const open: ('{' | '[')[] = []
  let expected: Expectation = 'value'
  let at = match(blank, text, 0).length
  while (at < text.length) {
    const found = match(token, text, at)
    const next: Expectation | undefined = found === '' ? undefined : follow(expected, found, open)
    if (next === undefined) return faultAt(text, at, expected)
    expected = next
    at += found.length
    at += match(blank, text, at).length
  }
  return expected === 'end' ? undefined : faultAt(text, at, expected)
}

/** What may come after `found`; undefined when it may not be here. */
function follow(expected: Expectation, found: string, open: ('{' | '[')[]): Expectation | undefined {
  const isName = found.startsWith('"')
  if (expected === ':') return found === ':' ? 'value' : undefined
  if (expected === 'name' || expected === 'name or }') {
    if (isName) return ':'
    return expected === 'name or }' && found === '}' ? close(open) : undefined
  }
  if (expected === ', or }') return found === ',' ? 'name' : found === '}' ? close(open) : undefined
  if (expected === ', or ]') return found === ',' ? 'value' : found === ']' ? close(open) : undefined
  if (expected === 'end') return undefined
  if (found === ']' && expected === 'value or ]') return close(open)
  if (found === '{' || found === '[') {
    open.push(found)
    return found === '{' ? 'name or }' : 'value or ]'
  }
  return isName || /[\w-]/.test(found) ? afterValue(open) : undefined
}

function close(open: ('{' | '[')[]): Expectation {
  open.pop()
  return afterValue(open)
}

function afterValue(open: readonly ('{' | '[')[]): Expectation {
  const innermost = open.at(-1)
  return innermost === undefined ? 'end' : innermost === '{' ? ', or }' : ', or ]'
}

function faultAt(text: string, at: number, expected: Expectation): JsonFault {
  const before = text.slice(0, at).split('\n')
  const column = (before.at(-1)?.length ?? 0) + 1
  const found = match(lump, text, at)
  return {
    line: before.length,
    column,
    expected: described[expected],
    found: at >= text.length ? 'the end of the file' : found.slice(0, 40),
  }
}

function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? ''
}
