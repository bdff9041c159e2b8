/** Goal: damage is found and told, and never touched. Method: the duty by itself, on databases that are harmed by hand. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import Connection from 'better-sqlite3'
import { expect, test } from 'vitest'
import { CheckIntegrity, type IntegrityBounds } from '../../src/maintenance/check-integrity.ts'
import { IntegrityReader } from '../../src/store/integrity.ts'
import { openReader, openWriter } from '../../src/store/open.ts'
import { rejectionOf } from '../engine/open-engine.ts'
import { usePlace } from '../store/folder.ts'

const place = usePlace()
const path = () => place.pathOf('tasks.db')
const small: IntegrityBounds = { wholeCheckBytes: 1_000_000_000, countedAtOnce: 1_000_000 }
const large: IntegrityBounds = { wholeCheckBytes: 0, countedAtOnce: 0 }

/** A sound database of 12,000 jobs, in one file. */
function setUp(): void {
  const writer = openWriter({ path: path(), durability: 'process' })
  writer.exec(`
    WITH RECURSIVE number (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM number WHERE seq < 12000)
    INSERT INTO jobs (seq, state, job_type, payload, created_at, finished_at, user_tag)
    SELECT seq, 'DONE', 'T', printf('"%.200c"', 'x'), 0, 1, 'tag' || seq % 10 FROM number;
    UPDATE jobs SET payload = '' WHERE seq % 100 = 0;
    INSERT INTO payloads SELECT seq, '"long"' FROM jobs WHERE payload = '';
    INSERT INTO attempts SELECT seq, number, 1, 2, 'THREW', NULL FROM jobs, (SELECT 1 AS number UNION SELECT 2);
    INSERT INTO idempotency_keys SELECT 'key' || seq, seq FROM jobs;
    INSERT INTO counters VALUES ('default', 'DONE', 12000), ('other', 'DONE', 0);
    INSERT INTO meta VALUES ('last_seq', 12000)`)
  writer.pragma('wal_checkpoint(TRUNCATE)')
  writer.close()
}

function change(sql: string): void {
  const writer = new Connection(path())
  writer.exec(sql)
  writer.close()
}

/** Writes nonsense over the middle of the pages that hold the table or index. */
function damage(name: string, from = 1, to = 3): void {
  const database = new Connection(path(), { readonly: true })
  const pages = database
    .prepare<[string], number>(
      "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno",
    )
    .pluck()
    .all(name)
  database.close()
  const file = openSync(path(), 'r+')
  for (const page of pages.slice(from, to))
    writeSync(file, Buffer.alloc(200, 0xff), 0, 200, (page - 1) * 8_192)
  closeSync(file)
}

async function check(bounds: IntegrityBounds) {
  const duty = new CheckIntegrity({ database: place.keep(openReader(path())) }, bounds)
  let slices = 1
  while (await duty.runOnce()) slices++
  return { slices, report: duty.report() }
}

test.each([
  ['small', small, undefined],
  ['large', large, 'left out for its size: indexes, counters'],
] as const)('a sound database that is %s is found sound, in steps', async (_size, bounds, details) => {
  setUp()
  const { slices, report } = await check(bounds)
  expect(slices).toBeGreaterThan(12)
  expect(report).toEqual({
    duty: 'check-integrity',
    deletedJobs: 0,
    deletedEarly: 0,
    deletedArtifacts: 0,
    reclaimedBytes: 0,
    examined: expect.any(Number),
    details,
  })
  expect(report.examined).toBeGreaterThan(12_000 * 3)
})

test.each([
  ['DELETE FROM payloads WHERE seq = 500', '1 jobs have lost their payload, the first is number 500'],
  ['INSERT INTO payloads VALUES (99999, 1)', '1 rows of payloads belong to no job, the first is 99999'],
  ["INSERT INTO attempts VALUES (99999, 1, 1, 1, 'THREW', NULL)", '1 rows of attempts belong to no job'],
  [
    "INSERT INTO idempotency_keys VALUES ('zzz', 99999)",
    'idempotency_keys belong to no job, the first is "zzz"',
  ],
  [
    "INSERT INTO subjects (subject_key, latest_generation, latest_seq, last_seq) VALUES ('s', 1, 99999, 99999)",
    'subjects',
  ],
  ["UPDATE meta SET value = 11999 WHERE name = 'last_seq'", 'job number 12000 is above the highest'],
])('%s is found', async (sql, finding) => {
  setUp()
  change(sql)
  for (const bounds of [small, large]) {
    const error = await rejectionOf(check(bounds), 'DATABASE_CORRUPT')
    expect(error.message).toContain(finding)
    expect(error.details).toMatchObject({ findings: [expect.stringContaining(finding)] })
  }
})

test('counters that are wrong are found', async () => {
  setUp()
  change("UPDATE counters SET jobs = 12001 WHERE state = 'DONE' AND queue = 'default'")
  const error = await rejectionOf(check(small), 'DATABASE_CORRUPT')
  expect(error.details).toMatchObject({
    findings: ['the counter of DONE in queue default is wrong by 1'],
  })
})

test.each([
  ['jobs', small],
  ['jobs', large],
  ['attempts', small],
  ['attempts', large],
  ['idx_jobs_user_tag', small],
] as const)('damaged pages of %s are found (%#), and the file stays as it is', async (name, bounds) => {
  setUp()
  damage(name)
  const before = readFileSync(path())
  const error = await rejectionOf(check(bounds), 'DATABASE_CORRUPT')
  expect(error.message).toContain('is damaged')
  expect(error.message).toContain('Nothing was changed')
  expect(readFileSync(path()).equals(before)).toBe(true)
})

test.each([
  [
    'in the middle',
    [
      [1, 3],
      [40, 41],
    ],
    11_000,
  ],
  ['at the end', [[-1, Number.POSITIVE_INFINITY]], 11_000],
  ['at the beginning', [[0, 2]], 100],
] as const)('jobs behind damaged pages %s are read all the same', async (_where, places, lost) => {
  setUp()
  change(`DELETE FROM payloads WHERE seq = ${lost}`)
  for (const [from, to] of places) damage('jobs', from, to)
  const { details } = await rejectionOf(check(large), 'DATABASE_CORRUPT')
  const unread = expect.stringMatching(/^the jobs after number \d+ cannot be read: /)
  expect(details.findings).toEqual(
    expect.arrayContaining([
      ...places.map(() => unread),
      `1 jobs have lost their payload, the first is number ${lost}`,
    ]),
  )
})

/** Writes nonsense over a page in the middle of a text that is all of this letter. */
function damageText(letter: string): void {
  const bytes = readFileSync(path())
  const inside = Buffer.alloc(8_000, letter)
  const page = Array.from({ length: bytes.length / 8_192 }, (_, index) => index).find((index) =>
    bytes.subarray(index * 8_192 + 4, index * 8_192 + 8_004).equals(inside),
  )
  if (page === undefined) throw new Error(`No page is full of ${letter}`)
  const file = openSync(path(), 'r+')
  writeSync(file, Buffer.alloc(8_192, 0xff), 0, 8_192, page * 8_192)
  closeSync(file)
}

test.each([
  ['jobs', 'UPDATE jobs SET result = $long WHERE seq = 7'],
  ['payloads', 'UPDATE payloads SET payload = $long WHERE seq = 500'],
  ['attempts', 'UPDATE attempts SET error = $long WHERE seq = 7'],
  ['progress', 'INSERT INTO progress VALUES (7, 0.5, $long, 0)'],
])('a damaged page within a long text of %s is found, in a large database too', async (table, sql) => {
  setUp()
  change(sql.replace('$long', "printf('%.100000c', 'z')"))
  await check(large)
  damageText('z')
  const error = await rejectionOf(check(large), 'DATABASE_CORRUPT')
  expect(error.message).toContain(table)
})

test('a step ends after so many rows, or so much text, and leaves no row out', async () => {
  setUp()
  const { report } = await check(large)
  change("UPDATE jobs SET result = printf('%.3000000c', 'z') WHERE seq <= 20")
  const long = await check(large)
  expect(long.report.examined).toBe(report.examined)
  let stepMs = 0
  let nowMs = 0
  const clock = { monotonicMs: () => (nowMs += stepMs) }
  const reader = new IntegrityReader(place.keep(openReader(path())), clock)
  expect(reader.jobsStep(0)).toMatchObject({ rows: 2, last: 2 })
  expect(reader.jobsStep(20)).toMatchObject({ rows: 5_000, last: 5_020 })
  // Two of each job.
  expect(reader.sideStep('attempts', undefined)).toMatchObject({ rows: 5_000, last: 2_500 })
  change("INSERT INTO attempts VALUES (1, 3, 1, 2, 'THREW', NULL)")
  expect(reader.sideStep('attempts', undefined)).toMatchObject({ rows: 5_001, last: 2_500 })
  // On a machine that has little time for it.
  stepMs = 3
  expect(reader.jobsStep(20)).toMatchObject({ rows: 128, last: 148 })
})
