/**
 * Goal: what a thread lays down is taken once, in order and unchanged, however the two sides alternate. Method: random
 * steps against a plain list; small strings and large, so that the ring wraps and fills.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AttemptEnd } from '../../src/execution/messages.ts'
import { createOutbox, OutboxReader, OutboxWriter } from '../../src/execution/outbox.ts'

const result = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 3, arbitrary: fc.integer({ min: 2_000, max: 8_192 }).map((length) => 'é'.repeat(length)) },
)
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      count: fc.integer({ min: 1, max: 20 }),
      result,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('take' as const), count: fc.integer({ min: 1, max: 60 }) }),
  },
)

const position = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 40_000 }).map((records) => (2 ** 31 - 4 * records) | 0),
  fc.integer({ min: 1, max: 40_000 }).map((records) => -4 * records),
)

test('the outbox is a queue', () => {
  let wasFull = false
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.integer(), position, (steps, firstBatch, start) => {
      const memory = createOutbox()
      // As if so many words had been written and taken before: the counts go round at 2 to the power of 31.
      new Int32Array(memory).fill(start, 0, 2)
      const writer = new OutboxWriter(memory)
      const reader = new OutboxReader(memory)
      const expected: unknown[] = []
      let index = 0
      for (const one of steps) {
        for (let times = 0; times < one.count; times++) {
          if (one.kind === 'add') {
            const batch = (firstBatch + index) | 0
            const kind = one.result === undefined ? ('success' as const) : ('success-with-result' as const)
            const outcome = { batch, index: index++, kind, text: one.result ?? '' }
            if (writer.addSuccess(batch, outcome.index, one.result)) expected.push(outcome)
            else wasFull = true
          } else {
            expect(reader.take()).toEqual(expected.shift())
          }
        }
      }
      for (const outcome of expected) expect(reader.take()).toEqual(outcome)
      expect(reader.take()).toBeUndefined()
    }),
    { numRuns: 300 },
  )
  expect(wasFull).toBe(true)
})

test('a full outbox has room again once it was read, all the way round', () => {
  const memory = createOutbox()
  const writer = new OutboxWriter(memory)
  const reader = new OutboxReader(memory)
  const long = 'x'.repeat(5_000)
  for (let round = 0; round < 50; round++) {
    let added = 0
    while (writer.addSuccess(round, added, long)) added++
    expect(added).toBeGreaterThan(20)
    for (let taken = 0; taken < added; taken++)
      expect(reader.take()).toMatchObject({ batch: round, index: taken })
    while (reader.take() !== undefined);
  }
})

test('a result that is too long is refused, and one of the greatest length is not', () => {
  const memory = createOutbox()
  const writer = new OutboxWriter(memory)
  expect(writer.addSuccess(1, 0, 'y'.repeat(8_193))).toBe(false)
  expect(writer.addSuccess(1, 0, 'y'.repeat(8_192))).toBe(true)
  expect(new OutboxReader(memory).take()?.text).toHaveLength(8_192)
})

test('what was laid down is collected by batch, each end as it was', () => {
  const memory = createOutbox()
  const writer = new OutboxWriter(memory)
  writer.addSuccess(1, 0, undefined)
  writer.addSuccess(1, 1, '"one"')
  writer.addEnd(1, { kind: 'expired', index: 2 })
  writer.addSuccess(1, 3, undefined)
  writer.addSuccess(2, 0, undefined)
  expect(new OutboxReader(memory).collect()).toEqual([
    {
      batch: 1,
      succeeded: [0, 1, 3],
      results: [undefined, '"one"', undefined],
      others: [{ kind: 'expired', index: 2 }],
    },
    { batch: 2, succeeded: [0], results: undefined, others: [] },
  ])
})

test('an end that cannot be read is one all the same, of the job that it was laid down for', () => {
  const error = { name: 'Error', message: 'm' }
  const verdict = { kind: 'retry' } as const
  const ends = [
    { kind: 'expired', index: 0 },
    { kind: 'interrupted', index: 0, error },
    { kind: 'failed', index: 0, cause: 'THREW', error, verdict },
    { kind: 'gave-way', index: 0, reason: 'cancelled', error, verdict },
    { kind: 'succeeded-with-more', index: 0, result: '1', children: [] },
  ] as const
  const junk: readonly unknown[] = [
    'x',
    null,
    7,
    [],
    { kind: 'expired' },
    { kind: 'expired', index: 3 },
    { kind: 'unheard-of', index: 0 },
    { kind: 'interrupted', index: 0, error: 'x' },
    { kind: 'failed', index: 0, cause: 'THREW', error: { name: 'Error' }, verdict },
    { kind: 'failed', index: 0, cause: 'THREW', error, verdict: 'x' },
    { kind: 'gave-way', index: 0, error, verdict },
    { kind: 'succeeded-with-more', index: 0, children: 'x' },
  ]
  const through = (end: AttemptEnd) => {
    const memory = createOutbox()
    expect(new OutboxWriter(memory).addEnd(5, end)).toBe(true)
    const reader = new OutboxReader(memory)
    return { outcomes: reader.collect(), foundJunk: reader.foundJunk }
  }
  for (const end of ends)
    expect(through(end)).toMatchObject({ outcomes: [{ batch: 5, others: [end] }], foundJunk: false })
  for (const written of junk) {
    const bent = { ...ends[0], toJSON: () => written }
    expect(through(bent), JSON.stringify(written)).toMatchObject({
      outcomes: [{ batch: 5, others: [{ kind: 'failed', index: 0, cause: 'THREW', verdict }] }],
      foundJunk: true,
    })
  }
})
