import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AlertSettings } from '../../src/config.ts'
import { type Alert, type AlertFacts, evaluateAlerts, noAlerts } from '../../src/telemetry/alerts.ts'

const settings: AlertSettings = {
  diskPercent: 80,
  failurePercent: 20,
  failureWindowMs: 60_000,
  minimumJobs: 10,
  stalledAfterMs: 30_000,
  everyMs: 10_000,
}

const calm: AlertFacts = {
  diskUsedPercent: 10,
  done: 0,
  failed: 0,
  queues: [],
  isThrottled: false,
  failedMaintenanceRuns: 0,
}

/** Wall time is far from the monotonic one, so that one taken for the other shows. */
const wallOffsetMs = 1_700_000_000_000

interface Told {
  readonly atMs: number
  readonly what: 'raised' | 'resolved'
  readonly alert: Alert & { readonly activeForMs?: number }
}

/** What is told by looks that are `everyMs` apart. */
function tell(looks: readonly Partial<AlertFacts>[], chosen: Partial<AlertSettings> = {}): Told[] {
  const all = { ...settings, ...chosen }
  let state = noAlerts
  return looks.flatMap((facts, look) => {
    const monotonicMs = 5_000 + look * all.everyMs
    const now = { monotonicMs, wallMs: monotonicMs + wallOffsetMs }
    const { state: next, raised, resolved } = evaluateAlerts(state, { ...calm, ...facts }, now, all)
    state = next
    expect(raised.every((alert) => state.active.includes(alert))).toBe(true)
    const atMs = look * all.everyMs
    return [
      ...resolved.map((alert): Told => ({ atMs, what: 'resolved', alert })),
      ...raised.map((alert): Told => ({ atMs, what: 'raised', alert })),
    ]
  })
}

/** One character a look: `!` raised, `.` resolved, `-` nothing. */
function drawn(looks: readonly Partial<AlertFacts>[], chosen: Partial<AlertSettings> = {}): string {
  const told = tell(looks, chosen)
  const everyMs = chosen.everyMs ?? settings.everyMs
  return looks
    .map((_, look) => {
      const now = told.filter(({ atMs }) => atMs === look * everyMs)
      return now.length === 0 ? '-' : now.map(({ what }) => (what === 'raised' ? '!' : '.')).join('')
    })
    .join('')
}

const disk = (...percents: readonly (number | undefined)[]) =>
  percents.map((diskUsedPercent) => ({ diskUsedPercent }))

test.each<[string, readonly Partial<AlertFacts>[], Partial<AlertSettings>, string]>([
  ['over the threshold it is told, and once', disk(79, 80.1, 90, 99), {}, '-!--'],
  ['the threshold itself is not over it', disk(80, 80), {}, '--'],
  ['it is resolved below the lower bound, not before', disk(81, 79, 75, 74.9, 70), {}, '!--.-'],
  ['around the threshold it does not flap', disk(81, 79, 81, 78, 82), {}, '!----'],
  ['a disk that does not tell changes nothing', disk(undefined, 81, undefined, 70, undefined), {}, '-!-.-'],
  ['a low threshold has a lower bound above nothing', disk(3, 1.1, 0.9), { diskPercent: 2 }, '!-.'],
  ['100 is never', disk(100, 100), { diskPercent: 100 }, '--'],
])('disk: %s', (_, looks, chosen, expected) => {
  expect(drawn(looks, chosen)).toBe(expected)
})

/** Jobs that end from one look to the next, as [done, failed]. */
function ending(...steps: readonly (readonly [done: number, failed: number])[]): Partial<AlertFacts>[] {
  let done = 0
  let failed = 0
  return steps.map(([moreDone, moreFailed]) => {
    done += moreDone
    failed += moreFailed
    return { done, failed }
  })
}

const idle = Array.from({ length: 7 }, () => [0, 0] as const)

test.each<[string, readonly Partial<AlertFacts>[], Partial<AlertSettings>, string]>([
  ['too many that failed', ending([8, 2], [5, 5]), {}, '-!'],
  ['those of the first look count', ending([0, 10]), {}, '!'],
  ['exactly as many as allowed', ending([80, 20], [80, 20]), {}, '--'],
  ['too few to say', ending([0, 5], [0, 4]), {}, '--'],
  ['few become enough', ending([0, 5], [0, 5]), {}, '-!'],
  ['it is resolved once it is well below', ending([0, 10], [30, 0], [20, 0], [20, 0]), {}, '!--.'],
  ['what is older than the window does not count', ending([0, 9], ...idle, [0, 9]), {}, '---------'],
  ['it is resolved when nothing fails any more', ending([0, 10], ...idle), {}, '!------.'],
  [
    'few that go on failing do not end it',
    ending([0, 10], [0, 0], [0, 1], [0, 0], [0, 0], [0, 1], [0, 0], [0, 0]),
    {},
    '!-------',
  ],
  ['100 is never', ending([0, 50]), { failurePercent: 100 }, '-'],
])('failures: %s', (_, looks, chosen, expected) => {
  expect(drawn(looks, chosen)).toBe(expected)
})

const queue = (waiting: number, began: number) => ({ queues: [{ queue: 'mail', waiting, began }] })

test.each<[string, readonly Partial<AlertFacts>[], Partial<AlertSettings>, string]>([
  ['waits for too long', Array.from({ length: 6 }, () => queue(3, 7)), {}, '----!-'],
  [
    'one that begins resolves it',
    [...Array.from({ length: 5 }, () => queue(3, 7)), queue(3, 8)],
    {},
    '----!.',
  ],
  ['an empty one resolves it', [...Array.from({ length: 5 }, () => queue(3, 7)), queue(0, 7)], {}, '----!.'],
  ['one that is gone resolves it', [...Array.from({ length: 5 }, () => queue(3, 7)), {}], {}, '----!.'],
  ['it moves', Array.from({ length: 9 }, (_, look) => queue(3, look)), {}, '---------'],
  ['nothing waits', Array.from({ length: 9 }, () => queue(0, 7)), {}, '---------'],
  [
    'one that was empty is counted from when it is not',
    [queue(0, 7), ...Array.from({ length: 5 }, () => queue(1, 7))],
    {},
    '-----!',
  ],
  [
    'what is throttled does not count',
    Array.from({ length: 9 }, () => ({ ...queue(3, 7), isThrottled: true })),
    {},
    '---------',
  ],
  [
    'one that is known outlasts the throttle',
    [
      ...Array.from({ length: 5 }, () => queue(3, 7)),
      ...Array.from({ length: 3 }, () => ({ ...queue(3, 7), isThrottled: true })),
      queue(3, 7),
      queue(3, 8),
    ],
    {},
    '----!----.',
  ],
  [
    'one that begins while others are throttled resolves it',
    [...Array.from({ length: 5 }, () => queue(3, 7)), { ...queue(3, 8), isThrottled: true }],
    {},
    '----!.',
  ],
  [
    'throttled time does not count, and what was before it does',
    [
      ...Array.from({ length: 4 }, () => queue(3, 7)),
      ...Array.from({ length: 4 }, () => ({ ...queue(3, 7), isThrottled: true })),
      ...Array.from({ length: 2 }, () => queue(3, 7)),
    ],
    {},
    '--------!-',
  ],
  [
    'looks that are far apart see nothing that was not',
    [queue(0, 7), queue(1, 7), queue(1, 7)],
    { everyMs: 60_000 },
    '--!',
  ],
  ['0 is never', Array.from({ length: 9 }, () => queue(3, 7)), { stalledAfterMs: 0 }, '---------'],
])('standstill: %s', (_, looks, chosen, expected) => {
  expect(drawn(looks, chosen)).toBe(expected)
})

test('maintenance that failed is told until a run is completed', () => {
  const looks = [0, 1, 2, 0, 1].map((failedMaintenanceRuns) => ({ failedMaintenanceRuns }))
  expect(drawn(looks)).toBe('-!-.!')
})

test('what is told says what was found, above what, since when, and for how long it was so', () => {
  const [raised, resolved] = tell([...disk(81, 90, 70)])
  const since = new Date(5_000 + wallOffsetMs)
  const alert = { kind: 'disk-use', queue: undefined, threshold: 80, since }
  expect(raised?.alert).toEqual({ ...alert, found: 81 })
  expect(resolved?.alert).toEqual({ ...alert, found: 70, activeForMs: 20_000 })
})

test('each queue stands still by itself', () => {
  const looks = Array.from({ length: 6 }, (_, look) => ({
    queues: [
      { queue: 'a', waiting: 1, began: 0 },
      { queue: 'b', waiting: 1, began: look },
      { queue: 'c', waiting: look < 5 ? 1 : 0, began: 0 },
    ],
  }))
  expect(tell(looks).map(({ what, alert }) => [what, alert.queue, alert.found])).toEqual([
    ['raised', 'a', 40_000],
    ['raised', 'c', 40_000],
    ['resolved', 'c', 0],
  ])
})

test('whatever comes: raised and resolved take turns, and what is kept stays small', () => {
  const look = fc.record({
    diskUsedPercent: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
    ended: fc.tuple(fc.nat(20), fc.nat(20)),
    waiting: fc.tuple(fc.nat(2), fc.nat(1)),
    isThrottled: fc.boolean(),
    failedMaintenanceRuns: fc.nat(1),
    waitMs: fc.integer({ min: 1, max: 40_000 }),
  })
  fc.assert(
    fc.property(fc.array(look, { maxLength: 200 }), (looks) => {
      let state = noAlerts
      let nowMs = 0
      let [done, failed, began] = [0, 0, 0]
      for (const { ended, waiting, waitMs, ...rest } of looks) {
        nowMs += waitMs
        done += ended[0]
        failed += ended[1]
        began += waiting[1]
        const facts = { ...rest, done, failed, queues: [{ queue: 'q', waiting: waiting[0], began }] }
        const before = new Set(state.active.map(({ kind }) => kind))
        const now = { monotonicMs: nowMs, wallMs: nowMs }
        const { state: next, raised, resolved } = evaluateAlerts(state, facts, now, settings)
        state = next
        for (const { kind } of raised) expect(before.has(kind)).toBe(false)
        for (const { kind } of resolved) expect(before.has(kind)).toBe(true)
        expect(new Set(state.active.map(({ kind }) => kind)).size).toBe(state.active.length)
        expect(state.endings.length).toBeLessThanOrEqual(63)
      }
    }),
  )
})
