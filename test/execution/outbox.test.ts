/**
 * Goal: what a thread lays down is taken once, in order and unchanged, however the two sides alternate. Method: random
 * steps against a plain list; small strings and large, so that the ring wraps and fills.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
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

test('the outbox is a queue', () => {
  let wasFull = false
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.integer(), (steps, firstBatch) => {
      const memory = createOutbox()
      const writer = new OutboxWriter(memory)
      const reader = new OutboxReader(memory)
      const expected: unknown[] = []
      let index = 0
      for (const one of steps) {
        for (let times = 0; times < one.count; times++) {
          if (one.kind === 'add') {
            const outcome = { batch: (firstBatch + index) | 0, index: index++, result: one.result }
            if (writer.add(outcome.batch, outcome.index, outcome.result)) expected.push(outcome)
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
    while (writer.add(round, added, long)) added++
    expect(added).toBeGreaterThan(20)
    for (let taken = 0; taken < added; taken++)
      expect(reader.take()).toMatchObject({ batch: round, index: taken })
    while (reader.take() !== undefined);
  }
})

test('a result that is too long is refused, and one of the greatest length is not', () => {
  const memory = createOutbox()
  const writer = new OutboxWriter(memory)
  expect(writer.add(1, 0, 'y'.repeat(8_193))).toBe(false)
  expect(writer.add(1, 0, 'y'.repeat(8_192))).toBe(true)
  expect(new OutboxReader(memory).take()?.result).toHaveLength(8_192)
})
