import { expect, test } from 'vitest'
import { readMaintenance } from '../../src/config.ts'
import {
  checksIntegrity,
  decodeLastRun,
  dueAt,
  encodeLastRun,
  isTooLarge,
} from '../../src/supervisor/maintenance-schedule.ts'

const hour = 3_600_000
const now = 1_800_000_000_000
const settings = readMaintenance({ maxDatabaseMb: 100 }, {})
const pageBytes = 8_192
const lastRun = {
  startedAt: now - 10 * hour,
  checkedAt: now - 10 * hour,
  deletedJobs: 3,
  deletedEarly: 1,
  deletedArtifacts: 2,
  reclaimedBytes: 8_192,
  elapsedMs: 12,
  failure: undefined,
  failedRuns: 0,
  pages: 20_000,
}
const failed = {
  ...lastRun,
  failure: { name: 'SemanticaError', message: 'The disk is full', code: 'DISK_FULL' },
  failedRuns: 3,
}

test.each([
  ['a new database', undefined, now - hour, 0, now + 23 * hour],
  ['one that was never maintained', undefined, now - 100 * hour, 0, now - 76 * hour],
  ['after a run', lastRun, 0, 0, now + 14 * hour],
  ['earlier by chance', lastRun, 0, 0.5, now + 14 * hour - 0.05 * 24 * hour],
  ['a clock that was put back', { ...lastRun, checkedAt: now + 1_000 * hour }, 0, 0, now + 24 * hour],
  ['after runs for the size alone', { ...lastRun, startedAt: now }, 0, 0, now + 14 * hour],
  ['after a failure', { ...failed, checkedAt: now }, 0, 0, now + hour],
] as const)('%s is due when it should be', (_what, last, createdAt, random, expected) => {
  expect(dueAt(settings, last, createdAt, now, random)).toBeCloseTo(expected, 0)
})

test('after a failure a short interval is not made longer', () => {
  const often = readMaintenance({ intervalHours: 0.5 }, {})
  expect(dueAt(often, { ...failed, checkedAt: now }, 0, now, 0)).toBe(now + hour / 2)
})

test('a file is too large over its limit; one that a run left there, once it has grown by a tenth', () => {
  const large = Math.ceil(100_000_000 / pageBytes) + 1
  expect(isTooLarge(settings, undefined, large - 2, pageBytes)).toBe(false)
  expect(isTooLarge(settings, undefined, large, pageBytes)).toBe(true)
  expect(isTooLarge(settings, { ...lastRun, pages: 1_000 }, large, pageBytes)).toBe(true)
  // One that the last run left just below the limit has passed it.
  expect(isTooLarge(settings, { ...lastRun, pages: large - 2 }, large, pageBytes)).toBe(true)
  expect(isTooLarge(settings, lastRun, 21_900, pageBytes)).toBe(false)
  expect(isTooLarge(settings, lastRun, 22_100, pageBytes)).toBe(true)
  expect(isTooLarge(readMaintenance({ maxDatabaseMb: 0 }, {}), undefined, large, pageBytes)).toBe(false)
})

test('only a run for the size leaves the integrity check out, and not after a failure', () => {
  expect(checksIntegrity('size', undefined)).toBe(false)
  expect(checksIntegrity('size', lastRun)).toBe(false)
  expect(checksIntegrity('size', failed)).toBe(true)
  for (const reason of ['scheduled', 'overdue', 'asked'] as const)
    expect(checksIntegrity(reason, lastRun)).toBe(true)
})

test('what is stored of a run comes back, and nonsense is no run', () => {
  for (const run of [lastRun, failed]) expect(decodeLastRun(encodeLastRun(run))).toEqual(run)
  expect(decodeLastRun(undefined)).toBeUndefined()
  expect(decodeLastRun('{')).toBeUndefined()
  expect(decodeLastRun('{"startedAt":"soon"}')).toMatchObject({ startedAt: 0, failure: undefined })
})
