/**
 * Conceals what a text holds in brackets under a name, as of an object that was made part of it: as JSON, also where that
 * is a text within another one, or as Node's `inspect` spells it. No pattern can find where such brackets end.
 */

const quotes = '"\'`'
const opening = '{['
const closing = '}]'

/**
 * @param named what comes before the opening bracket; its first group stays
 * @param instead what stands in the place of the brackets
 */
export function concealBrackets(text: string, named: RegExp, instead: string): string {
  let redacted = ''
  let from = 0
  for (const match of text.matchAll(named)) {
    const { 0: before, 1: name = before, index } = match
    const start = index + before.length
    if (index < from || isEmpty(text, start)) continue
    redacted += text.slice(from, index) + name + instead
    from = endOfBrackets(text, start)
  }
  return redacted + text.slice(from)
}

function isEmpty(text: string, start: number): boolean {
  return /^.\s{0,4}[}\]]/.test(text.slice(start, start + 6))
}

/** Where brackets that a text does not close end, since it was cut: before its stack, or with it. */
function endOfBrackets(text: string, start: number): number {
  let depth = 0
  let quote: string | undefined
  // Within a text that is itself JSON a quote has backslashes before it; one that it holds has more of them.
  let escapes = 0
  let backslashes = 0
  for (let index = start; index < text.length; index++) {
    const character = text.charAt(index)
    if (character === '\\') {
      backslashes++
      continue
    }
    const before = backslashes
    backslashes = 0
    if (quote !== undefined) {
      if (character === quote && before % (2 * (escapes + 1)) === escapes) quote = undefined
    } else if (quotes.includes(character) && !isApostrophe(character, text.charAt(index - 1))) {
      quote = character
      escapes = before
    } else if (opening.includes(character)) {
      depth++
    } else if (closing.includes(character) && --depth === 0) {
      return index + 1
    }
  }
  const stack = text.slice(start).search(/\n {1,8}at /)
  return stack === -1 ? text.length : start + stack
}

function isApostrophe(character: string, previous: string): boolean {
  return character === "'" && /\w/.test(previous)
}
