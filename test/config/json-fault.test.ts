import fc from 'fast-check'
import { expect, test } from 'vitest'
import { findJsonFault } from '../../src/config/json-fault.ts'

test.each([
  ['{"a": 1,\n "b": 2,\n}', 3, 1, 'a name in double quotes', '}'],
  ['{"a": 1 "b": 2}', 1, 9, 'a comma or }', '"b": 2}'],
  ["{'a': 1}", 1, 2, 'a name in double quotes, or }', "'a'"],
  ['{a: 1}', 1, 2, 'a name in double quotes, or }', 'a'],
  ['{"a" 1}', 1, 6, 'a colon', '1'],
  ['// threads\n{}', 1, 1, 'a value', '// threads'],
  ['{"a": [1, 2}', 1, 12, 'a comma or ]', '}'],
  ['{"a": 01}', 1, 7, 'a value', '01'],
  ['{"a": undefined}', 1, 7, 'a value', 'undefined'],
  ['{"a": "one\ntwo"}', 1, 7, 'a value', '"one'],
  ['{"a": 1', 1, 8, 'a comma or }', 'the end of the file'],
  ['', 1, 1, 'a value', 'the end of the file'],
  ['{} {}', 1, 4, 'nothing more', '{'],
])('%j', (text, line, column, expected, found) => {
  expect(findJsonFault(text)).toEqual({ line, column, expected, found })
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test('finds a fault exactly where JSON.parse does', () => {
  const pieces = fc.constantFrom(
    ...'{}[],: \n0123456789.eE+-"\\u/tfan'.split(''),
    'true',
    'null',
    '"a"',
    '{"a":',
  )
  const nearly = fc
    .tuple(fc.json(), fc.nat(), pieces)
    .map(
      ([text, at, piece]) =>
        text.slice(0, at % (text.length + 1)) + piece + text.slice(at % (text.length + 1)),
    )
  const texts = fc.oneof(
    fc.json(),
    nearly,
    fc.array(pieces).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(texts, (text) => {
      expect(findJsonFault(text) === undefined).toBe(isJson(text))
    }),
    { numRuns: 2_000 },
  )
})
