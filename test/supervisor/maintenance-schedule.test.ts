import { expect, test } from 'vitest'
import { readMaintenance } from '../../src/config.ts'
import {
  checksIntegrity,
  decodeLastRun,
  dueAt,
  dueForSizeAt,
  encodeLastRun,
  sizeLeft,
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
  maxDatabaseBytes: 100_000_000,
  tooLargeRuns: 1,
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

const minute = 60_000
const large = Math.ceil(100_000_000 / pageBytes) + 1
const unlimited = readMaintenance({ maxDatabaseMb: 0 }, {})
const recent = { ...lastRun, startedAt: now - 1_000 }

test.each([
  ['within its limit', settings, undefined, large - 2, undefined],
  ['without a limit', unlimited, undefined, large, undefined],
  ['that no run has seen', settings, undefined, large, now],
  ['that has grown over it', settings, { ...recent, pages: 1_000 }, large, now],
  ['that the last run left just below it', settings, { ...recent, pages: large - 2 }, large, now],
  ['that a run under a higher limit left', settings, { ...recent, maxDatabaseBytes: 1e9 }, 20_000, now],
  ['that an older version has maintained', settings, { ...recent, maxDatabaseBytes: 0 }, 20_000, now],
  ['that has grown by a tenth since', settings, recent, 22_100, now],
  ['that was left there', settings, recent, 21_900, now - 1_000 + minute],
  ['that was left there long ago', settings, lastRun, 21_900, now - 10 * hour + minute],
  ['that was left there again', settings, { ...recent, tooLargeRuns: 4 }, 20_000, now - 1_000 + 8 * minute],
  ['that is always left there', settings, { ...recent, tooLargeRuns: 99 }, 20_000, now - 1_000 + 24 * hour],
  ['whose clock was put back', settings, { ...lastRun, startedAt: now + hour }, 20_000, now + minute],
  ['of which something failed', settings, { ...failed, startedAt: now }, 20_000, undefined],
] as const)('a file %s is a reason for a run when it should be', (_what, own, last, pages, expected) => {
  expect(dueForSizeAt(own, last, pages, pageBytes, now)).toBe(expected)
})

test('runs are counted that leave the file as large as it was, over the limit', () => {
  const left = (last: typeof lastRun | undefined, pages: number) =>
    sizeLeft(settings, last, pages, pageBytes).tooLargeRuns
  expect(sizeLeft(settings, lastRun, 1_000, pageBytes)).toEqual({
    pages: 1_000,
    maxDatabaseBytes: 100_000_000,
    tooLargeRuns: 0,
  })
  expect(sizeLeft(unlimited, undefined, 20_000, pageBytes).maxDatabaseBytes).toBe(0)
  expect([left(undefined, 20_000), left(lastRun, 20_500), left(lastRun, 19_500)]).toEqual([1, 2, 2])
  // It is another size, or another limit.
  expect([left(lastRun, 23_000), left(lastRun, 17_000)]).toEqual([1, 1])
  expect(left({ ...lastRun, maxDatabaseBytes: 1e9 }, 20_000)).toBe(1)
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
