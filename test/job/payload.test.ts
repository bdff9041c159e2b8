import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { validatePayload } from '../../src/job/payload.ts'

const file = z.object({ path: z.string().min(1), lines: z.array(z.number()).default([]) })
const remote = z.object({ name: z.string().refine(async (name) => name !== 'taken', 'is taken') })

/** A validator that does whatever the test says. */
function schemaOf(validate: StandardSchemaV1.Props['validate']): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

describe('a synchronous validator', () => {
  test('answers at once with its output', () => {
    expect(validatePayload('A', file, { path: 'a', extra: 1 })).toEqual({ path: 'a', lines: [] })
  })

  test('refuses with each place and what is wrong there', () => {
    const validate = () => validatePayload('INDEX_FILE', file, { path: 5, lines: [1, 'x'] })
    expect(validate).toThrow(
      expect.objectContaining({
        code: 'PAYLOAD_INVALID',
        details: {
          issues: [
            { path: 'path', message: expect.stringContaining('string') },
            { path: 'lines.1', message: expect.stringContaining('number') },
          ],
        },
      }),
    )
    expect(validate).toThrow('The payload of INDEX_FILE does not validate: path: ')
  })

  test('names the payload itself, where that is wrong', () => {
    expect(() => validatePayload('A', file, 'text')).toThrow('does not validate: the payload: ')
  })

  test('is quoted with five places at most', () => {
    const many = z.array(z.number())
    const validate = () => validatePayload('A', many, Array(100).fill('x'))
    expect(validate).toThrow(
      expect.objectContaining({ details: { issues: expect.toSatisfy((list) => list.length === 5) } }),
    )
  })

  test('may name places as the standard has them: keys, symbols and segments', () => {
    const path = [{ key: 'a' }, 0, Symbol('s')]
    const schema = schemaOf(() => ({ issues: [{ message: 'wrong', path }] }))
    expect(() => validatePayload('A', schema, {})).toThrow('a.0.Symbol(s): wrong')
  })
})

describe('a validator that gives what none may give', () => {
  test.each([
    null,
    undefined,
    5,
    {},
    { issues: 5 },
    { issues: [null] },
  ])('%j refuses the payload', async (outcome) => {
    // @ts-expect-error what only JavaScript can pass
    const schema = schemaOf(() => outcome)
    const refusal = { code: 'PAYLOAD_INVALID', message: expect.stringContaining('The validator of A gave ') }
    expect(() => validatePayload('A', schema, {})).toThrow(expect.objectContaining(refusal))
    // @ts-expect-error the same
    const later = schemaOf(async () => outcome)
    await expect(validatePayload('A', later, {})).rejects.toMatchObject(refusal)
  })
})

describe('an asynchronous validator', () => {
  test('resolves to its output', async () => {
    const outcome = validatePayload('A', remote, { name: 'free' })
    expect(outcome).toBeInstanceOf(Promise)
    expect(await outcome).toEqual({ name: 'free' })
  })

  test('rejects with what is wrong', async () => {
    await expect(validatePayload('A', remote, { name: 'taken' })).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      details: { issues: [{ path: 'name', message: 'is taken' }] },
    })
  })
})

describe('a validator that throws', () => {
  const cause = new TypeError('cannot read it')
  const refusal = {
    code: 'PAYLOAD_INVALID',
    message: expect.stringContaining('The validator of A threw TypeError: cannot read it'),
    cause,
  }

  test('at once', () => {
    const schema = schemaOf(() => {
      throw cause
    })
    expect(() => validatePayload('A', schema, {})).toThrow(expect.objectContaining(refusal))
  })

  test('later', async () => {
    const schema = schemaOf(() => Promise.reject(cause))
    await expect(validatePayload('A', schema, {})).rejects.toMatchObject(refusal)
  })
})

test('without a validator the payload passes as it is', () => {
  const payload = { a: 1 }
  expect(validatePayload('A', undefined, payload)).toBe(payload)
})
