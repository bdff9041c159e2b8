import type { Finding } from './findings.ts'
import type { Source } from './source.ts'

const maxFileLines = 400
const maxFunctionLines = 70
const maxEntryLines = 39

/** A function that is longer than it should be, with its length: it may only shrink. */
export interface Overlong {
  readonly path: string
  readonly function: string
  readonly lines: number
}

/** Files and functions stay short enough to be held in the head at once. */
export function checkSizes(sources: readonly Source[], ratchet: readonly Overlong[]): Finding[] {
  return [
    ...sources.flatMap(longFiles),
    ...sources.flatMap((source) => longFunctions(source, ratchet)),
    ...stale(sources, ratchet),
  ]
}

function longFiles({ path, lines }: Source): Finding[] {
  if (lines > maxFileLines) {
    return [
      { path, line: 0, text: `${lines} lines are not allowed here, use at most ${maxFileLines}: split it` },
    ]
  }
  if (path.startsWith('workers/') && lines > maxEntryLines) {
    return [
      {
        path,
        line: 0,
        text: `${lines} lines are not allowed here, use fewer than ${maxEntryLines + 1}: wiring only`,
      },
    ]
  }
  return []
}

function overlongOf({ path, functions }: Source): (Overlong & { line: number })[] {
  return functions
    .filter(({ lines, argumentOf }) => lines > maxFunctionLines && argumentOf !== 'describe')
    .map(({ name, line, lines }) => ({ path, function: name, lines, line }))
}

function longFunctions(source: Source, ratchet: readonly Overlong[]): Finding[] {
  return overlongOf(source).flatMap(({ path, line, lines, function: name }) => {
    const listed = ratchet.find((one) => one.path === path && one.function === name)
    const limit = listed?.lines ?? maxFunctionLines
    if (lines <= limit) return []
    return [
      { path, line, text: `${name} has ${lines} lines, which is not allowed here, use at most ${limit}` },
    ]
  })
}

/** Entries of the ratchet that promise less than was reached. */
function stale(sources: readonly Source[], ratchet: readonly Overlong[]): Finding[] {
  const overlong = sources.flatMap(overlongOf)
  return ratchet.flatMap((listed) => {
    const lines = overlong
      .filter((one) => one.path === listed.path && one.function === listed.function)
      .reduce((longest, one) => Math.max(longest, one.lines), 0)
    if (lines >= listed.lines) return []
    const what = lines === 0 ? 'remove it from the ratchet' : `write ${lines} in the ratchet`
    return [
      { path: listed.path, line: 0, text: `${listed.function} shrank below ${listed.lines} lines: ${what}` },
    ]
  })
}
