import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodePayload, encodeResult, maxJsonCharacters } from '../../src/job/json.ts'

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = [value]
  return value
}

/** The same object twice on each level: small in memory, 2 to the power of 40 as text. */
function bomb(): unknown {
  let value: unknown = 'x'
  for (let level = 0; level < 40; level++) value = [value, value]
  return value
}

test('whatever JSON can carry is what JSON.stringify makes of it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(encodePayload(value)).toBe(JSON.stringify(value))
      expect(encodeResult(value)).toBe(JSON.stringify(value))
    }),
  )
})

test('whatever is accepted comes back the same, and the rest is refused', () => {
  fc.assert(
    fc.property(
      fc.anything({ withDate: true, withBigInt: true, withMap: true, withSparseArray: true }),
      (value) => {
        let text: string
        try {
          text = encodePayload(value)
        } catch (error) {
          expect(error).toMatchObject({ code: 'PAYLOAD_NOT_JSON' })
          return
        }
        // JSON has one zero, and objects from it have a prototype.
        const same = structuredClone(value === undefined ? null : value)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(same)))
      },
    ),
  )
})

test('no payload is null, no result is none', () => {
  expect(encodePayload(undefined)).toBe('null')
  expect(encodeResult(undefined)).toBeUndefined()
})

describe('refusals name the place and what is there', () => {
  class Point {
    x = 1
  }
  test.each([
    ['a date', { at: new Date(0) }, "The payload's at is a Date"],
    ['a bigint', { list: [1, 2n] }, "The payload's list[1] is a bigint"],
    ['a map', new Map(), 'The payload itself is a Map'],
    ['a set', { a: { b: new Set() } }, "The payload's a.b is a Set"],
    ['undefined', { a: undefined }, "The payload's a is undefined"],
    ['a hole', Object.assign(Array(2), [1]), "The payload's [1] is undefined"],
    ['a function', { run() {} }, "The payload's run is a function"],
    ['a symbol', [Symbol('s')], "The payload's [0] is a symbol"],
    ['not a number', { a: Number.NaN }, "The payload's a is NaN"],
    ['infinity', [-Infinity], "The payload's [0] is -Infinity"],
    ['an instance', { at: new Point() }, "The payload's at is a Point"],
    ['a boxed number', [new Number(1)], "The payload's [0] is a Number"],
    ['bytes', new Uint8Array(2), 'The payload itself is a Uint8Array'],
    ['an instance without a name', new (class {})(), 'The payload itself is a class instance'],
    [
      'a name that is a symbol',
      { a: { [Symbol('s')]: 1 } },
      "The payload's a is an object with symbols as names",
    ],
    ['an own toJSON', { toJSON: () => 1 }, "The payload's toJSON is a function"],
    [
      'a toJSON that a loop does not see',
      { a: Object.defineProperty({}, 'toJSON', { value: () => 1 }) },
      "The payload's a.toJSON is a function",
    ],
    ['a list with a toJSON', Object.assign([1], { toJSON: () => 1 }), "The payload's toJSON is a function"],
  ])('%s', (_what, value, message) => {
    expect(() => encodePayload(value)).toThrow(expect.objectContaining({ code: 'PAYLOAD_NOT_JSON' }))
    expect(() => encodePayload(value)).toThrow(message)
  })

  test('the path is there for programs as well', () => {
    expect(() => encodePayload({ a: [{ b: 1n }] })).toThrow(
      expect.objectContaining({ details: { path: 'a[0].b' } }),
    )
  })

  test('of a result, with its own codes', () => {
    expect(() => encodeResult({ a: 1n })).toThrow(expect.objectContaining({ code: 'RESULT_NOT_JSON' }))
    expect(() => encodeResult({ a: 1n })).toThrow("The result's a is a bigint")
  })
})

describe('bounds', () => {
  test('200 levels are carried, one more is not', () => {
    expect(encodePayload(nested(200))).toHaveLength(401)
    expect(() => encodePayload(nested(201))).toThrow('more than 200 levels, or a cycle')
  })

  test('a cycle is refused', () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = { again: [cycle] }
    expect(() => encodePayload(cycle)).toThrow(expect.objectContaining({ code: 'PAYLOAD_NOT_JSON' }))
  })

  test('ten million characters are carried, one more is not', () => {
    const text = 'x'.repeat(maxJsonCharacters - 2)
    expect(encodePayload(text)).toHaveLength(maxJsonCharacters)
    expect(() => encodePayload(`${text}x`)).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }))
    expect(() => encodeResult(`${text}x`)).toThrow(expect.objectContaining({ code: 'RESULT_TOO_LARGE' }))
  })

  test('characters that JSON has to escape count as written', () => {
    expect(() => encodePayload('\n'.repeat(maxJsonCharacters / 2))).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }),
    )
  })

  test('what no string could hold is refused, not attempted', () => {
    const shared = Array.from({ length: 100 }, () => 'x'.repeat(9_000_000))
    expect(() => encodePayload(shared)).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }))
    expect(() => encodePayload(bomb())).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }))
  })
})

test('names that somebody has put on every object are no part of a payload', () => {
  const name = 'addedToAllForATest'
  const everyObject = Object.prototype as unknown as Record<string, unknown>
  everyObject[name] = () => 1
  let text: string
  try {
    text = encodePayload({ n: 1, inner: { list: [{}] } })
  } finally {
    delete everyObject[name]
  }
  expect(text).toBe('{"n":1,"inner":{"list":[{}]}}')
})
