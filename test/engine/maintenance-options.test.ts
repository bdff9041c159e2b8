import { expect, test } from 'vitest'
import { readMaintenance } from '../../src/config.ts'
import { finalStates, isFinal, jobStates } from '../../src/job/state.ts'
import { thrownBy } from '../store/folder.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()
const hour = 3_600_000
const day = 24 * hour
const keptFor = (ms: number) => Object.fromEntries(finalStates.map((state) => [state, ms]))

test('the final states are those that have no way out', () => {
  expect([...finalStates].sort()).toEqual(jobStates.filter(isFinal).sort())
})

test('a week, three days for artifacts, 1,000 MB, once a day', () => {
  expect(readMaintenance(undefined, {})).toEqual({
    isScheduled: true,
    intervalMs: day,
    retentionMs: keptFor(7 * day),
    maxFinishedJobs: undefined,
    maxDatabaseBytes: 1_000_000_000,
    compactFreePercent: 25,
    artifactRetentionMs: 3 * day,
  })
  expect(readMaintenance(false, {})).toMatchObject({ isScheduled: false, intervalMs: day })
})

test('the environment wins over the code', () => {
  const environment = {
    SEMANTICA_MAINTENANCE_INTERVAL_HOURS: '0.5',
    SEMANTICA_RETENTION_DAYS: '1.5',
    SEMANTICA_MAX_FINISHED_JOBS: '10',
    SEMANTICA_MAX_DB_SIZE_MB: '0',
    SEMANTICA_COMPACT_FREE_PERCENT: '30',
    SEMANTICA_ARTIFACT_RETENTION_DAYS: '0',
  }
  expect(readMaintenance({ maxDatabaseMb: 20, retentionMs: { FAILED: 5 } }, environment)).toEqual({
    isScheduled: true,
    intervalMs: hour / 2,
    retentionMs: { ...keptFor(1.5 * day), FAILED: 5 },
    maxFinishedJobs: 10,
    maxDatabaseBytes: undefined,
    compactFreePercent: 30,
    artifactRetentionMs: 0,
  })
})

test('how long jobs of one state are kept can be said in each place', () => {
  const of = (given: object, environment: Record<string, string> = {}, more: object = {}) =>
    readMaintenance({ retentionMs: { DONE: 1, FAILED: 2, ...given } }, environment, more).retentionMs
  const file = { path: '/etc/a.json', values: { maintenance: { retentionMs: { FAILED: 3, CANCELLED: 4 } } } }
  expect(of({}, {}, { file })).toMatchObject({ DONE: 1, FAILED: 3, CANCELLED: 4, SUPERSEDED: 7 * day })
  const environment = { SEMANTICA_RETENTION_MS_FAILED: '5', SEMANTICA_RETENTION_MS_SKIPPED_TTL: '6' }
  expect(of({}, environment, { file })).toMatchObject({ FAILED: 5, CANCELLED: 4, SKIPPED_TTL: 6 })
  const overrides = { maintenance: { retentionMs: { FAILED: 0 } } }
  expect(of({}, environment, { file, overrides })).toMatchObject({ FAILED: 0, CANCELLED: 4 })
  const wrong = { file: { path: '/etc/a.json', values: { maintenance: { retentionMs: { DONE: 'x' } } } } }
  expect(thrownBy(() => of({}, {}, wrong), 'OPTION_INVALID').message).toContain(
    'maintenance.retentionMs.DONE in /etc/a.json is "x". Allowed: a number from 0',
  )
})

test.each([
  [{ retentionDays: -1 }, 'maintenance.retentionDays is -1. Allowed: a number from 0 to 36,500'],
  [{ maxFinishedJobs: 1.5 }, 'maintenance.maxFinishedJobs'],
  [{ maxDatabaseMb: '9' }, 'maintenance.maxDatabaseMb'],
  [{ compactFreePercent: 0 }, 'maintenance.compactFreePercent'],
  [{ intervalHours: 0 }, 'maintenance.intervalHours'],
  [{ retentionMs: { RUNNING: 5 } }, 'maintenance.retentionMs.RUNNING'],
  [{ retentionMs: { DONE: -5 } }, 'maintenance.retentionMs.DONE'],
  [{ retentionMs: 5 }, 'maintenance.retentionMs'],
  [{ days: 5 }, 'maintenance.days is not an option of maintenance'],
  [5, 'maintenance is 5'],
  [null, 'maintenance is null'],
])('%j is refused by name', async (maintenance, text) => {
  // @ts-expect-error some of them are not even of the right type
  const error = await rejectionOf(engines.open({ maintenance }), 'OPTION_INVALID')
  expect(error.message).toContain(text)
})

test('the environment turns it off and on', () => {
  expect(readMaintenance(undefined, { SEMANTICA_MAINTENANCE: 'off' }).isScheduled).toBe(false)
  expect(readMaintenance(false, { SEMANTICA_MAINTENANCE: 'on' }).isScheduled).toBe(true)
})

test('a variable that is not a number is refused by name', () => {
  expect(() => readMaintenance({}, { SEMANTICA_RETENTION_DAYS: 'a week' })).toThrow(
    'SEMANTICA_RETENTION_DAYS',
  )
})
