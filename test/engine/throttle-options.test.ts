import { expect, test } from 'vitest'
import { readThrottle } from '../../src/config.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

test('the throttle is on unless it is turned off, and the environment wins over code', () => {
  const standard = { cpuPercent: 90, memoryPercent: 95, belowPriority: 0, everyMs: 1_000, asksHost: false }
  expect(readThrottle(undefined, {})).toEqual(standard)
  expect(readThrottle({}, { SEMANTICA_THROTTLE_CPU_PERCENT: '' })).toEqual(standard)
  expect(readThrottle(false, {})).toBeUndefined()
  const environment = {
    SEMANTICA_THROTTLE_CPU_PERCENT: '60',
    SEMANTICA_THROTTLE_MEMORY_PERCENT: '70',
    SEMANTICA_THROTTLE_BELOW_PRIORITY: '-5',
    SEMANTICA_THROTTLE_EVERY_MS: '50',
  }
  expect(readThrottle({ cpuPercent: 40, measure: () => ({}) }, environment)).toEqual({
    cpuPercent: 60,
    memoryPercent: 70,
    belowPriority: -5,
    everyMs: 50,
    asksHost: true,
  })
})

test('the last that says something about it turns it on or off', () => {
  expect(readThrottle(false, { SEMANTICA_THROTTLE_CPU_PERCENT: '60' })).toBeUndefined()
  expect(readThrottle(false, { SEMANTICA_THROTTLE: 'on' })).toBeDefined()
  expect(readThrottle({ cpuPercent: 60 }, { SEMANTICA_THROTTLE: 'off' })).toBeUndefined()
  const file = { path: '/a.json', values: { throttle: { everyMs: 50 } } }
  expect(readThrottle(false, {}, { file })).toMatchObject({ everyMs: 50 })
  expect(readThrottle(false, { SEMANTICA_THROTTLE: 'off' }, { file })).toBeUndefined()
  expect(
    readThrottle(false, { SEMANTICA_THROTTLE: 'off' }, { file, overrides: { throttle: true } }),
  ).toBeDefined()
})

test('limits that nothing is over turn it off', () => {
  const environment = { SEMANTICA_THROTTLE_CPU_PERCENT: '100', SEMANTICA_THROTTLE_MEMORY_PERCENT: '100' }
  expect(readThrottle(undefined, environment)).toBeUndefined()
  expect(readThrottle({ cpuPercent: 100 }, {})).toBeDefined()
})

test.each([
  [{ cpuPercent: 0 }, 'throttle.cpuPercent is 0. Allowed: a whole number from 1 to 100'],
  [{ cpuPercent: 50.5 }, 'throttle.cpuPercent'],
  [{ memoryPercent: 101 }, 'throttle.memoryPercent'],
  [{ belowPriority: 101 }, 'throttle.belowPriority'],
  [{ everyMs: 1 }, 'throttle.everyMs'],
  [{ measure: {} }, 'throttle.measure'],
  [{ cpuPercnt: 50 }, 'throttle.cpuPercnt is not an option of throttle'],
  [{ cpu_percent: 50 }, 'Did you mean throttle.cpuPercent?'],
  ['on', 'throttle is "on"'],
  [[], 'throttle is []'],
  [null, 'throttle is null'],
])('%j is refused by name', async (throttle, text) => {
  // @ts-expect-error some of them are not even of the right type
  const error = await rejectionOf(engines.open({ throttle }), 'OPTION_INVALID')
  expect(error.message).toContain(text)
})

test.each(['-100', 'low'])('the environment is checked too: %s', (text) => {
  expect(() => readThrottle({}, { SEMANTICA_THROTTLE_BELOW_PRIORITY: text })).toThrow(
    'SEMANTICA_THROTTLE_BELOW_PRIORITY',
  )
})
