import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeTraceparent, encodeTraceparent, traceIdOf } from '../../src/job/traceparent.ts'

const hex = (digits: number) =>
  fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`)).filter((text) => /[1-9a-f]/.test(text))

test('what is encoded is decoded again', () => {
  fc.assert(
    fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 255 }), (traceId, spanId, traceFlags) => {
      const text = encodeTraceparent({ traceId, spanId, traceFlags })
      expect(decodeTraceparent(text)).toEqual({ traceId, spanId, traceFlags })
      expect(traceIdOf(text)).toBe(traceId)
    }),
  )
})

test('it is what W3C Trace Context says', () => {
  const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 }
  expect(encodeTraceparent(span)).toBe('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')
})

test.each([
  '',
  'no',
  '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331',
  '01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  '00-00000000000000000000000000000000-b7ad6b7169203331-01',
  '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
  '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
])('%j names no span', (text) => {
  expect(decodeTraceparent(text)).toBeUndefined()
})

test('no traceparent has no trace', () => {
  expect(traceIdOf(null)).toBeUndefined()
  expect(traceIdOf(undefined)).toBeUndefined()
})
