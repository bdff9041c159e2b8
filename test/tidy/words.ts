import { type Finding, isWithin } from './findings.ts'
import type { Source } from './source.ts'

/** Names that say nothing of what flows through a place. */
const emptyName = /^(?:utils?|helpers?|commons?|types?|interfaces?|misc|shared|lib|core)$/

/** The named boundaries where values of every type meet. */
const anyAllowed: readonly string[] = [
  'src/actor/define.ts',
  'src/job/definition.ts',
  'src/engine/options.ts',
]

/** Where time must really pass: the guard's grace, and modules that play a slow user. */
const sleepAllowed: readonly string[] = ['test/fixtures/', 'test/tidy/', 'test/job/clock.test.ts']

const refusedWords: readonly (readonly [what: RegExp, instead: string])[] = [
  [/\b(?:TODO|FIXME|XXX)\b/, 'the work itself, or an issue'],
  [/@ts-(?:ignore|nocheck)\b/, '@ts-expect-error with a reason, or the right type'],
  [
    /\b(?:describe|it|test|suite)\.(?:only|skip|todo)\b/,
    'all tests, or none: skipIf with a reason at the most',
  ],
]

const sleeps =
  /^(?:(?:timers\.|timers\/promises\.)?(?:setTimeout|setInterval)|(?:vi|expect)\.(?:waitFor|waitUntil|poll))$/

export function checkNames(sources: readonly Source[]): Finding[] {
  return sources.flatMap(({ path }) => {
    const empty = path
      .replace(/\.ts$/, '')
      .split('/')
      .find((part) => emptyName.test(part))
    return empty === undefined
      ? []
      : [{ path, line: 0, text: `the name ${empty} is not allowed here, use what flows through it` }]
  })
}

export function checkWords(sources: readonly Source[]): Finding[] {
  return sources.flatMap((source) => [...wordsOf(source), ...anyOf(source), ...sleepsOf(source)])
}

function wordsOf({ path, text }: Source): Finding[] {
  // The rules and their fixtures name what they refuse.
  if (path.startsWith('test/tidy/')) return []
  return text.split('\n').flatMap((content, index) =>
    refusedWords.flatMap(([what, instead]) => {
      const found = what.exec(content)
      if (found === null) return []
      return [{ path, line: index + 1, text: `${found[0]} is not allowed here, use ${instead}` }]
    }),
  )
}

function anyOf({ path, anyLines }: Source): Finding[] {
  if (isWithin(path, anyAllowed)) return []
  return anyLines.map((line) => ({ path, line, text: 'any is not allowed here, use unknown' }))
}

function sleepsOf({ path, uses, imports }: Source): Finding[] {
  if (!path.startsWith('test/') || isWithin(path, sleepAllowed)) return []
  const naps = uses.filter(({ name }) => sleeps.test(name))
  const delays = imports
    .filter(({ specifier, names }) => specifier.endsWith('/clock.ts') && names.includes('delay'))
    .map(({ line }) => ({ name: 'delay', line }))
  return [...naps, ...delays].map(({ name, line }) => ({
    path,
    line,
    text: `${name} is not allowed here, use an event or a signal: a test that waits for time is slow, or flaky, or both`,
  }))
}
