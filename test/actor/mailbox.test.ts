import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type LaneLimits, Mailbox } from '../../src/actor/mailbox.ts'

const lanes = {
  results: { capacity: 50, minimumShare: 0.5 },
  enqueues: { capacity: 5_000, minimumShare: 0.29 },
  maintenance: { capacity: 3, minimumShare: 0.1 },
} as const
type Lane = keyof typeof lanes
const laneNames: readonly Lane[] = ['results', 'enqueues', 'maintenance']

/** The same by the slowest and plainest means. */
class Model {
  readonly waiting: Record<Lane, string[]> = { results: [], enqueues: [], maintenance: [] }

  offer(lane: Lane, message: string): boolean {
    if (this.waiting[lane].length >= lanes[lane].capacity) return false
    this.waiting[lane].push(message)
    return true
  }

  take(limit: number): string[] {
    const counts: Record<Lane, number> = { results: 0, enqueues: 0, maintenance: 0 }
    // Shares in whole hundredths, so that the model does not round as floats do.
    const hundredths: Record<Lane, number> = { results: 50, enqueues: 29, maintenance: 10 }
    for (const lane of laneNames)
      counts[lane] = Math.min(this.waiting[lane].length, Math.trunc((hundredths[lane] * limit) / 100))
    let left = limit - counts.results - counts.enqueues - counts.maintenance
    for (const lane of laneNames) {
      while (left > 0 && counts[lane] < this.waiting[lane].length) {
        counts[lane] += 1
        left -= 1
      }
    }
    return laneNames.flatMap((lane) => this.waiting[lane].splice(0, counts[lane]))
  }
}

describe('a mailbox', () => {
  test('does what the plain model does', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('offer' as const),
        lane: fc.constantFrom(...laneNames),
        count: fc.oneof(fc.nat(60), fc.nat(3_000)),
      }),
      fc.record({ kind: fc.constant('take' as const), limit: fc.oneof(fc.nat(100), fc.nat(3_000)) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const mailbox = new Mailbox<Lane, string>(lanes)
        const model = new Model()
        let sent = 0
        for (const step of steps) {
          if (step.kind === 'take') {
            expect(mailbox.take(step.limit)).toEqual(model.take(step.limit))
          } else {
            for (let count = 0; count < step.count; count += 1) {
              sent += 1
              expect(mailbox.offer(step.lane, `${sent}`)).toBe(model.offer(step.lane, `${sent}`))
            }
          }
          for (const lane of laneNames) expect(mailbox.sizeOf(lane)).toBe(model.waiting[lane].length)
          expect(mailbox.size).toBe(laneNames.reduce((sum, lane) => sum + model.waiting[lane].length, 0))
        }
      }),
      { numRuns: 60 },
    )
  })

  test('gives a late lane its share under pressure from an early one, and the early one the rest', () => {
    const mailbox = new Mailbox<Lane, string>({ ...lanes, results: { capacity: 1_000, minimumShare: 0 } })
    for (let index = 0; index < 1_000; index += 1) mailbox.offer('results', 'r')
    for (let index = 0; index < 3; index += 1) mailbox.offer('maintenance', 'm')
    const taken = mailbox.take(20)
    expect(taken).toEqual([...Array(18).fill('r'), 'm', 'm'])
  })

  test('does not lose a message of a share to rounding: 0.29 of 100 is 29', () => {
    const mailbox = new Mailbox({
      first: { capacity: 100, minimumShare: 0.5 },
      second: { capacity: 100, minimumShare: 0.29 },
    })
    for (let index = 0; index < 100; index += 1) {
      mailbox.offer('first', 1)
      mailbox.offer('second', 2)
    }
    expect(mailbox.take(100).filter((message) => message === 2).length).toBe(29)
  })

  test('refuses what is over the capacity of a lane, and takes again once there is room', () => {
    const mailbox = new Mailbox({ only: { capacity: 2, minimumShare: 1 } })
    expect([mailbox.offer('only', 1), mailbox.offer('only', 2), mailbox.offer('only', 3)]).toEqual([
      true,
      true,
      false,
    ])
    expect(mailbox.take(1)).toEqual([1])
    expect(mailbox.offer('only', 4)).toBe(true)
    expect(mailbox.take(10)).toEqual([2, 4])
    expect(mailbox.take(10)).toEqual([])
  })

  test.each<[string, Record<string, LaneLimits>]>([
    [
      'shares over the whole',
      { a: { capacity: 1, minimumShare: 0.6 }, b: { capacity: 1, minimumShare: 0.6 } },
    ],
    ['a lane that holds nothing', { a: { capacity: 0, minimumShare: 0 } }],
    ['a negative share', { a: { capacity: 1, minimumShare: -0.1 } }],
  ])('cannot be made with %s', (_, limits) => {
    expect(() => new Mailbox(limits)).toThrow('Broken assumption')
  })
})
