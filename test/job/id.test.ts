import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeJobId, encodeJobId, newDatabaseId, toDatabaseId, toJobSeq } from '../../src/job/id.ts'

const database = toDatabaseId('abcd1234')
const refusal = expect.objectContaining({ code: 'JOB_ID_INVALID' })

test('an id leads back to its row', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (number) => {
      const seq = toJobSeq(number)
      expect(decodeJobId(database, encodeJobId(database, seq))).toBe(seq)
    }),
  )
})

test('ids are text that can be selected, quoted and put in a URL', () => {
  expect(encodeJobId(database, toJobSeq(35))).toBe('job_abcd1234_z')
  expect(encodeJobId(database, toJobSeq(Number.MAX_SAFE_INTEGER))).toMatch(/^\w+$/)
})

test.each([
  '',
  'job',
  'job_abcd1234_',
  'job_abcd1234_0',
  'job_abcd1234_01',
  'job_abcd1234_-1',
  'job_abcd1234_1.5',
  'job_abcd1234_A',
  'JOB_abcd1234_1',
  'job_abcd123_1',
  ' job_abcd1234_1',
  'job_abcd1234_1\n',
  'job_abcd1234_zzzzzzzzzzz',
  'job_abcd1234_2gosa7pa2gw',
  '1',
])('%j is refused', (text) => {
  expect(() => decodeJobId(database, text)).toThrow(refusal)
})

test.each([undefined, null, 5, 5n, {}])('%s, from a caller without types, is refused', (value) => {
  // @ts-expect-error what only JavaScript can pass
  expect(() => decodeJobId(database, value)).toThrow(refusal)
})

test('any text is refused, or is the one id of its job', () => {
  const almost = fc.stringMatching(/^job_abcd1234_[0-9a-z]{1,12}$/)
  fc.assert(
    fc.property(fc.oneof(fc.string(), almost), (text) => {
      let seq: ReturnType<typeof decodeJobId>
      try {
        seq = decodeJobId(database, text)
      } catch (error) {
        expect(error).toEqual(refusal)
        return
      }
      expect(encodeJobId(database, seq)).toBe(text)
    }),
  )
})

test('an id of another database is refused, and says so', () => {
  const id = encodeJobId(toDatabaseId('zzzz9999'), toJobSeq(1))
  expect(() => decodeJobId(database, id)).toThrow(refusal)
  expect(() => decodeJobId(database, id)).toThrow('belongs to the database zzzz9999, this one is abcd1234')
})

test('databases get ids of their own', () => {
  const ids = Array.from({ length: 1_000 }, newDatabaseId)
  expect(new Set(ids).size).toBe(1_000)
  expect(() => toDatabaseId('too-long-for-it')).toThrow('Not a database id')
})
