import { expect, test } from 'vitest'
import { outputTailCharacters, withoutCutValue } from '../../src/job/program.ts'

const full = (begin: string) => begin.padEnd(outputTailCharacters, ' and so on')

test.each([
  ['of a value that was cut', full('et-value-123, said'), ', said'],
  ['the longest that fits', full('value-123 said'), ' said'],
  ['not one that stands whole', full('secret-value-123'), 'secret-value-123'],
  ['not a few characters', full('123 said'), '123 said'],
  ['not of an output that was not cut', 'et-value-123', 'et-value-123'],
])('the end of an output loses what it begins with: %s', (_what, tail, left) => {
  expect(withoutCutValue(tail, ['x-value-123', 'secret-value-123', ''])).toBe(tail.slice(tail.indexOf(left)))
})

test('nor does it begin with the rest of one that JSON spells otherwise', () => {
  const tail = full(String.raw`\"cret\n", said`)
  expect(withoutCutValue(tail, ['my-se"cret\n'])).toBe(tail.slice(tail.indexOf('", said')))
})
