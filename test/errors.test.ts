import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  assert,
  describe as describeValue,
  type ErrorCode,
  engineError,
  errorRegistry,
  fromPlainError,
  hasCode,
  isErrorCode,
  type PlainError,
  SemanticaError,
  textWithCauses,
  toPlainError,
  unreachable,
} from '../src/errors.ts'

const codes = Object.keys(errorRegistry).filter(isErrorCode)

const tableHead = ['| CODE | kind number | retryable | meaning |', '| --- | --- | --- | --- |']

describe('the registry', () => {
  test('every entry says something, in one sentence', () => {
    for (const code of codes) {
      expect(code).toMatch(/^[A-Z]+(?:_[A-Z]+)*$/)
      expect(errorRegistry[code].meaning).toMatch(/^[^|\n]+\.$/)
    }
  })

  test('README.md lists the same errors, word for word', () => {
    const path = resolve(import.meta.dirname, '../README.md')
    const found = tableRows(existsSync(path) ? readFileSync(path, 'utf8') : '')
    const needed = codes.map(rowOf)
    expect(found, `Paste into README.md:\n\n${[...tableHead, ...needed].join('\n')}\n`).toEqual(needed)
  })

  test('a table that lacks, adds or bends a row differs', () => {
    const needed = codes.map(rowOf)
    const [first = ''] = needed
    const table = [...tableHead, ...needed]
    expect(tableRows(['# Errors', ...table, '', 'Text.'].join('\n'))).toEqual(needed)
    expect(tableRows(table.toSpliced(2, 1).join('\n'))).not.toEqual(needed)
    expect(tableRows([...table, '| `GONE` | conflict 4002 | no | Gone. |'].join('\n'))).not.toEqual(needed)
    expect(tableRows(table.with(2, first.replace('| no |', '| yes |')).join('\n'))).not.toEqual(needed)
  })
})

function rowOf(code: ErrorCode): string {
  const error = new SemanticaError(code, '')
  const retryable = error.retryable ? 'yes' : 'no'
  return `| \`${code}\` | ${error.kind} ${error.rpcCode} | ${retryable} | ${errorRegistry[code].meaning} |`
}

/** The rows of the table of errors, whatever their order in the page, in that of the registry. */
function tableRows(markdown: string): string[] {
  const order = new Map<string, number>(codes.map((code, index) => [code, index]))
  const place = (row: string) => order.get(/`(\w+)`/.exec(row)?.[1] ?? '') ?? codes.length
  return markdown
    .split('\n')
    .map((line) => line.trim().replace(/\s+/g, ' '))
    .filter((line) => /^\| `[A-Z_]+` \| [a-z-]+ \d{4} \|/.test(line))
    .sort((one, other) => place(one) - place(other))
}

describe('an engine error', () => {
  test('says what was found, what is allowed and what to do', () => {
    const cause = new Error('deeper')
    const error = engineError('OPTION_INVALID', {
      found: 'threads is 0',
      allowed: '1 to 256',
      action: 'Correct it.',
      details: { option: 'threads' },
      cause,
    })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'SemanticaError',
      message: 'threads is 0. Allowed: 1 to 256. Correct it.',
      code: 'OPTION_INVALID',
      kind: 'validation',
      rpcCode: 4000,
      retryable: false,
      details: { option: 'threads' },
      cause,
    })
  })

  test('leaves out what was not given', () => {
    // The words of others may end a sentence by themselves.
    for (const found of ['Job failed: no disk.', 'Job failed: why?'])
      expect(engineError('JOB_FAILED', { found, action: 'Mend it.' }).message).toBe(`${found} Mend it.`)
    const error = engineError('DISK_FULL', { found: 'No space', action: 'Make room.' })
    expect(error.message).toBe('No space. Make room.')
    expect('cause' in error).toBe(false)
    const nested = { found: `Failed: ${error.message}`, allowed: 'more room.', action: 'Try again.' }
    expect(engineError('DISK_FULL', nested).message).toBe(
      'Failed: No space. Make room. Allowed: more room. Try again.',
    )
    expect(error).toMatchObject({ details: {}, rpcCode: 5001, retryable: true, supersededBy: undefined })
  })

  test('names the job that superseded', () => {
    const details = { supersededBy: 'job_1' }
    expect(new SemanticaError('SUPERSEDED', '', { details }).supersededBy).toBe('job_1')
    expect(
      new SemanticaError('SUPERSEDED', '', { details: { supersededBy: 1 } }).supersededBy,
    ).toBeUndefined()
  })

  test('is recognised by its code alone', () => {
    expect(hasCode(Object.assign(new Error('copy'), { code: 'DISK_FULL' }), 'DISK_FULL')).toBe(true)
    expect(hasCode(new SemanticaError('DISK_FULL', ''), 'OVERLOADED')).toBe(false)
    expect(hasCode({ code: 'DISK_FULL' }, 'DISK_FULL')).toBe(false)
    expect(isErrorCode('toString')).toBe(false)
  })
})

describe('a plain error', () => {
  const cross = (thrown: unknown) => fromPlainError(structuredClone(toPlainError(thrown)))

  test.each(codes)('%s crosses a thread whole', (code) => {
    const error = engineError(code, { found: 'Found', action: 'Act.', details: { at: ['a', 1] } })
    const other = cross(error)
    expect(other).toBeInstanceOf(SemanticaError)
    expect(other).toMatchObject({ code, message: error.message, details: error.details, stack: error.stack })
  })

  test('of another copy of this package keeps its details', () => {
    const foreign = Object.assign(new Error('found'), {
      code: 'SUPERSEDED',
      details: { supersededBy: 'job_1' },
    })
    foreign.name = 'SemanticaError'
    expect(cross(foreign)).toMatchObject({ code: 'SUPERSEDED', supersededBy: 'job_1' })
  })

  test('of another class keeps its name, text, code and stack', () => {
    const error = Object.assign(new TypeError('odd'), { code: 'ENOENT', secret: () => {} })
    expect(cross(error)).toMatchObject({
      name: 'TypeError',
      message: 'odd',
      code: 'ENOENT',
      stack: error.stack,
    })
    expect(cross(error)).not.toBeInstanceOf(SemanticaError)
  })

  test.each([
    ['text', 'boom', 'Thrown: "boom"'],
    ['nothing', undefined, 'Thrown: undefined'],
    ['null', null, 'Thrown: null'],
    ['an object', { a: 1 }, 'Thrown: {"a":1}'],
    ['a symbol', Symbol('s'), 'Thrown: Symbol(s)'],
    ['a bigint', 5n, 'Thrown: 5n (a bigint)'],
    ['an object with a bigint', { a: 5n }, 'Thrown: { a: 5n }'],
    ['an object that JSON would show empty', new Map([['a', 1]]), "Thrown: Map(1) { 'a' => 1 }"],
    ['nothing to see', {}, 'Thrown: {}'],
  ])('of thrown %s says what it was', (_what, thrown, message) => {
    expect(toPlainError(thrown)).toEqual({ name: 'NonError', message })
  })

  test('of what cannot be read is still an error', () => {
    const hostile = new Error('x')
    Object.defineProperty(hostile, 'message', {
      get() {
        throw new Error('no')
      },
    })
    expect(toPlainError(hostile)).toEqual({
      name: 'NonError',
      message: 'Thrown: something whose properties cannot be read',
    })
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(toPlainError(proxy).name).toBe('NonError')
  })

  test('keeps its causes, on either side of a thread', () => {
    const root = Object.assign(new Error('connect ECONNREFUSED ::1:3999'), { code: 'ECONNREFUSED' })
    const tried = new AggregateError([root, 'text'], '')
    const error = new TypeError('fetch failed', { cause: tried })
    expect(cross(error)).toMatchObject({
      name: 'TypeError',
      cause: {
        name: 'AggregateError',
        errors: [{ message: root.message, code: 'ECONNREFUSED', stack: root.stack }, { message: '"text"' }],
      },
    })
    expect(cross(error).cause).toBeInstanceOf(AggregateError)
    expect(cross(new SemanticaError('DISK_FULL', 'full', { cause: root }))).toMatchObject({
      code: 'DISK_FULL',
      cause: { message: root.message },
    })
    expect(textWithCauses(toPlainError(error))).toBe(
      'fetch failed (cause: AggregateError: (errors: Error: connect ECONNREFUSED ::1:3999; "text"))',
    )
    expect(textWithCauses(toPlainError(new Error('alone')))).toBe('alone')
  })

  test.each([
    ['itself', (error: Error) => error],
    ['nothing', () => null],
    [
      'what cannot be read',
      () => Object.defineProperty(new Error(''), 'message', { get: () => assert(false, 'unread') }),
    ],
  ])('has no cause when that is %s', (_what, causeOf) => {
    const error = new Error('x')
    error.cause = causeOf(error)
    expect(toPlainError(error)).toEqual({ name: 'Error', message: 'x', stack: error.stack })
  })

  test('whose cause cannot be read has none', () => {
    const error = Object.defineProperty(new Error('x'), 'cause', { get: () => assert(false, 'unread') })
    expect(toPlainError(error)).toEqual({ name: 'Error', message: 'x', stack: error.stack })
  })

  test('has causes within bounds', () => {
    const chain = Array.from({ length: 50 }).reduce<Error>(
      (cause) => new Error('y'.repeat(50_000), { cause }),
      new Error(),
    )
    const many = new AggregateError(
      Array.from({ length: 1_000 }, () => chain),
      'many',
    )
    const wide = new AggregateError(
      Array.from({ length: 1_000 }, () => new Error('y'.repeat(50_000))),
      'wide',
    )
    for (const error of [chain, many, wide])
      expect(JSON.stringify(toPlainError(error)).length).toBeLessThan(60_000)
    expect(toPlainError(wide).errors).toHaveLength(10)
    expect(toPlainError(Object.assign(new Error('z'), { errors: [{ field: 'a' }] })).errors).toBeUndefined()
  })

  test('whose details cannot be cloned crosses without them', () => {
    const error = new SemanticaError('DISK_FULL', 'full', { details: { bad: () => {} } })
    expect(cross(error)).toMatchObject({ code: 'DISK_FULL', message: 'full' })
  })

  test('is bounded', () => {
    const plain = toPlainError(new Error('x'.repeat(100_000)))
    expect(plain.message.length).toBeLessThanOrEqual(8_001)
    expect(plain.stack?.length).toBeLessThanOrEqual(8_001)
  })

  test('of anything at all can be made, cloned and rebuilt', () => {
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        const plain: PlainError = toPlainError(thrown)
        expect(fromPlainError(structuredClone(plain)).message).toBe(plain.message)
      }),
    )
  })
})

test('a value is described in a few words', () => {
  expect(describeValue('a "b"')).toBe('"a \\"b\\""')
  expect(describeValue('x'.repeat(1_000)).length).toBeLessThanOrEqual(201)
  expect(describeValue({ toJSON: () => undefined })).toBe('{ toJSON: [Function: toJSON] }')
  expect(describeValue(() => 1)).toBe('() => 1')
  expect(describeValue(10n)).toBe('10n (a bigint)')
  expect(describeValue(new Date(Number.NaN))).toBe('Invalid Date')
  expect(describeValue(new Date(0))).toBe('"1970-01-01T00:00:00.000Z"')
  expect(describeValue(new Set([1]))).toBe('Set(1) { 1 }')
  expect(describeValue(new TypeError('said'))).toBe('TypeError: said')
  expect(describeValue(Promise.resolve(1))).toBe('Promise { 1 }')
  expect(describeValue({})).toBe('{}')
})

test('broken assumptions are loud', () => {
  expect(() => assert(false, 'one writer')).toThrow('Broken assumption: one writer')
  expect(() => assert(true, 'one writer')).not.toThrow()
  // @ts-expect-error a case that the compiler would have refused
  expect(() => unreachable('gone')).toThrow('Unreachable: "gone"')
})
