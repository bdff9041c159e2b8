import { expect, test } from 'vitest'
import { outputTailCharacters, programSchema, withoutCutValue } from '../../src/job/program.ts'

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

test.each<[payload: unknown, message: string]>([
  ['ls {"env":{"KEY":"secret"}}', 'must be an object, not a text'],
  [null, 'must be an object, not null'],
  [{ command: 3 }, 'must be a text of at least 1 character, without NUL, not 3'],
  [
    { command: { env: { KEY: 'secret' } } },
    'must be a text of at least 1 character, without NUL, not an object',
  ],
  [{ command: 'a', args: ['b', 5] }, 'must be an array of texts without NUL, not one with 5 at 1'],
  [{ command: 'a', args: 'b' }, 'must be an array of texts without NUL, not "b"'],
  [{ command: 'a', env: ['KEY=secret'] }, 'must be an object of texts, not an array'],
  [{ command: 'a', env: { KEY: 'secret\0' } }, 'must be a text without NUL, not one with it'],
  [{ command: 'a', env: { KEY: 5 } }, 'must be a text without NUL, not a number'],
  [{ command: 'a', cwd: '' }, 'must be the path of a folder, not ""'],
  [{ command: 'a', stdin: { KEY: 'secret' } }, 'must be a text, not an object'],
  [{ command: 'a', shell: 'secret' }, 'is not a field of a program: command, args, env, cwd, stdin'],
])('a fault in a program is told with what was found, and no secret: %j', (payload, message) => {
  expect(programSchema(undefined)['~standard'].validate(payload)).toMatchObject({ issues: [{ message }] })
})
