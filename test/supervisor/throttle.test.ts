import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { LoadMeasure, ThrottleSettings } from '../../src/config.ts'
import {
  calmState,
  lowerBoundOf,
  observe,
  reasonOf,
  samplesToCalm,
  samplesToPress,
  type ThrottleReason,
  type ThrottleState,
} from '../../src/supervisor/throttle.ts'

const settings: ThrottleSettings = {
  cpuPercent: 90,
  memoryPercent: 95,
  belowPriority: 0,
  everyMs: 1_000,
  asksHost: false,
}

/** The reason after each of the samples. */
function reasonsOf(samples: readonly LoadMeasure[], chosen = settings): (ThrottleReason | undefined)[] {
  let state: ThrottleState = calmState
  return samples.map((load) => {
    state = observe(state, load, chosen)
    return reasonOf(state)
  })
}

const cpu = (...percents: readonly (number | undefined)[]): LoadMeasure[] =>
  percents.map((cpuPercent) => ({ cpuPercent }))

test.each<[string, readonly LoadMeasure[], string]>([
  ['two in a row hold', cpu(91, 91), '-c'],
  ['one does not', cpu(91, 80, 91, 89, 91), '-----'],
  ['the limit itself is not over it', cpu(90, 90, 90), '---'],
  ['three below the lower bound let go', cpu(91, 91, 74, 74, 74), '-ccc-'],
  ['the lower bound itself is not below it', cpu(91, 91, 75, 75, 75, 75), '-ccccc'],
  ['one between the bounds begins the count anew', cpu(91, 91, 74, 74, 80, 74, 74, 74), '-cccccc-'],
  ['after it let go it takes two again', cpu(91, 91, 1, 1, 1, 91, 91), '-ccc--c'],
  ['what is not known lets go', cpu(91, 91, undefined, undefined, undefined), '-ccc-'],
  ['what is not known holds nothing', cpu(91, undefined, 91, undefined), '----'],
  [
    'memory has bounds of its own',
    [96, 96, 91, 89, 89, 89].map((memoryPercent) => ({ memoryPercent })),
    '-mmmm-',
  ],
  [
    'the first one is the reason, and the other takes over',
    [
      { cpuPercent: 91 },
      { cpuPercent: 91, memoryPercent: 99 },
      { cpuPercent: 91, memoryPercent: 99 },
      { cpuPercent: 10, memoryPercent: 99 },
      { cpuPercent: 10, memoryPercent: 99 },
      { cpuPercent: 10, memoryPercent: 99 },
    ],
    '-ccccm',
  ],
  [
    'at once: the CPU is named',
    Array.from({ length: 2 }, () => ({ cpuPercent: 99, memoryPercent: 99 })),
    '-c',
  ],
])('%s', (_, samples, expected) => {
  expect(reasonsOf(samples).map((reason) => reason?.[0] ?? '-')).toEqual([...expected])
})

test('100 never holds, and a low limit has a lower bound above nothing', () => {
  const never = { ...settings, cpuPercent: 100, memoryPercent: 100 }
  expect(reasonsOf(cpu(100, 100, 100), never)).toEqual([undefined, undefined, undefined])
  expect(lowerBoundOf('cpu', settings)).toBe(75)
  expect(lowerBoundOf('memory', settings)).toBe(90)
  expect(lowerBoundOf('cpu', { ...settings, cpuPercent: 10 })).toBe(5)
})

test('whatever comes: held after two over, free after three below, and for no other cause', () => {
  const percent = fc.option(fc.constantFrom(0, 50, 74, 75, 80, 90, 91, 96, 100), { nil: undefined })
  const load = fc.record({ cpuPercent: percent, memoryPercent: percent })
  fc.assert(
    fc.property(fc.array(load, { maxLength: 40 }), (samples) => {
      const reasons = reasonsOf(samples)
      for (const [index, reason] of reasons.entries()) {
        const lastOnes = (count: number) => samples.slice(Math.max(0, index + 1 - count), index + 1)
        const isOver = ({ cpuPercent = 0, memoryPercent = 0 }: LoadMeasure) =>
          cpuPercent > 90 || memoryPercent > 95
        const isBelow = ({ cpuPercent = 0, memoryPercent = 0 }: LoadMeasure) =>
          cpuPercent < 75 && memoryPercent < 90
        const before = index === 0 ? undefined : reasons[index - 1]
        if (before === undefined && reason !== undefined) {
          expect(lastOnes(samplesToPress).filter(isOver)).toHaveLength(samplesToPress)
        }
        const calmOnes = lastOnes(samplesToCalm)
        if (calmOnes.length === samplesToCalm && calmOnes.every(isBelow)) expect(reason).toBeUndefined()
        const overOnes = lastOnes(samplesToPress)
        if (overOnes.length === samplesToPress && overOnes.every(({ cpuPercent = 0 }) => cpuPercent > 90)) {
          expect(reason).toBeDefined()
        }
        // Whatever was pressed has been below its limit three times in a row.
        if (before !== undefined && reason === undefined) {
          const isCalm = ({ cpuPercent = 0, memoryPercent = 0 }: LoadMeasure) =>
            before === 'cpu' ? cpuPercent < 75 : memoryPercent < 90
          expect(calmOnes.filter(isCalm)).toHaveLength(samplesToCalm)
        }
      }
    }),
  )
})
