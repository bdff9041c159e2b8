/**
 * Goal: what is past its time goes, and nothing else, wherever links lead. Method: the duty by itself, on real folders and
 * a real database whose rows are written by hand.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { readMaintenance } from '../../src/config.ts'
import { encodeJobId, toJobSeq } from '../../src/job/id.ts'
import { PruneArtifacts } from '../../src/maintenance/prune-artifacts.ts'
import { openReader, openWriter, readDatabaseId } from '../../src/store/open.ts'
import { rejectionOf } from '../engine/open-engine.ts'
import { usePlace } from '../store/folder.ts'

const place = usePlace()
const program = join(import.meta.dirname, '../fixtures/store/prune-unprivileged.ts')
const dayMs = 86_400_000
const now = 100 * dayMs
const clock: Pick<Clock, 'wallMs'> = { wallMs: () => now }

/** A database with one job for each of the times, in days, at which it finished; undefined: it has not. */
function setUp(finishedDays: readonly (number | undefined)[] = []) {
  const writer = place.keep(openWriter({ path: place.pathOf('tasks.db'), durability: 'process' }))
  for (const days of finishedDays) {
    writer
      .prepare('INSERT INTO jobs (state, job_type, payload, created_at, finished_at) VALUES (?, ?, ?, 0, ?)')
      .run(
        days === undefined ? 'RUNNING' : 'DONE',
        'T',
        '1',
        days === undefined ? null : Math.round(days * dayMs),
      )
  }
  const database = place.keep(openReader(place.pathOf('tasks.db')))
  const databaseId = readDatabaseId(database)
  return {
    idOf: (seq: number) => encodeJobId(databaseId, toJobSeq(seq)),
    makeDuty: () =>
      new PruneArtifacts({
        database,
        databaseId,
        clock: clock as Clock,
        settings: readMaintenance(undefined, {}),
      }),
  }
}

const at = (...names: string[]) => join(realpathSync(place.folder), 'tasks.db-files', ...names)

function write(path: string, text = 'abc'): void {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
}

async function run(duty: PruneArtifacts): Promise<number> {
  let slices = 1
  while (await duty.runOnce()) slices++
  return slices
}

test('artifacts go three days after the end of their job, logs with it, and those of no job at once', async () => {
  const { idOf, makeDuty } = setUp([96.9, 97, 97.1, undefined, 101])
  for (const seq of [1, 2, 3, 4, 5, 6]) {
    write(at('artifacts', idOf(seq), 'a.txt'))
    write(at('artifacts', idOf(seq), 'b.txt'), 'four')
    write(at('partial', idOf(seq)))
    write(at('logs', `${idOf(seq)}.log`))
    write(at('logs', `${idOf(seq)}.log.1`), 'older')
  }
  const duty = makeDuty()
  await run(duty)
  expect(readdirSync(at('artifacts'))).toEqual([3, 4, 5].map(idOf))
  expect(readdirSync(at('partial'))).toEqual([3, 4, 5].map(idOf))
  expect(readdirSync(at('artifacts', idOf(4)))).toEqual(['a.txt', 'b.txt'])
  expect(readdirSync(at('logs'))).toEqual(
    [1, 2, 3, 4, 5].flatMap((seq) => [`${idOf(seq)}.log`, `${idOf(seq)}.log.1`]),
  )
  expect(duty.report()).toEqual({
    duty: 'prune-artifacts',
    deletedJobs: 0,
    deletedEarly: 0,
    deletedArtifacts: 9,
    // Logs are no artifacts, but take space too.
    reclaimedBytes: 3 * (3 + 4 + 3) + (3 + 5),
    examined: 6 + 6 + 3 * 2 + 6 * 2,
    details: undefined,
  })
})

test('what bears no id of this database is left alone, and said', async () => {
  const { idOf, makeDuty } = setUp([1])
  const strangers = ['notes.txt', 'job_00000000_1', `${idOf(1)}.bak`, idOf(1).toUpperCase()]
  for (const name of strangers) write(at('artifacts', name, 'kept'))
  write(at('artifacts', idOf(1), 'folder', 'kept'))
  write(at('artifacts', idOf(1), 'gone'))
  write(at('logs', `${idOf(2)}.log`, 'kept'))
  write(at('logs', 'notes.txt'))
  const duty = makeDuty()
  await run(duty)
  expect(existsSync(at('logs', `${idOf(2)}.log`, 'kept'))).toBe(true)
  expect(existsSync(at('logs', 'notes.txt'))).toBe(true)
  for (const name of strangers) expect(existsSync(at('artifacts', name, 'kept'))).toBe(true)
  expect(readdirSync(at('artifacts', idOf(1)))).toEqual(['folder'])
  expect(existsSync(at('artifacts', idOf(1), 'folder', 'kept'))).toBe(true)
  expect(duty.report()).toMatchObject({
    deletedArtifacts: 1,
    details: expect.stringMatching(/^7 .*left alone$/),
  })
})

test('of links only the link goes, and hard links to files elsewhere harm nothing', async () => {
  const { idOf, makeDuty } = setUp([1, 1])
  const outside = place.pathOf('outside')
  write(join(outside, 'kept'))
  mkdirSync(at('artifacts', idOf(1)), { recursive: true })
  symlinkSync(outside, at('artifacts', idOf(1), 'to-folder'))
  symlinkSync(join(outside, 'kept'), at('artifacts', idOf(1), 'to-file'))
  symlinkSync('nowhere', at('artifacts', idOf(1), 'to-nothing'))
  linkSync(join(outside, 'kept'), at('artifacts', idOf(1), 'hard'))
  symlinkSync(outside, at('artifacts', idOf(2)))
  const duty = makeDuty()
  await run(duty)
  expect(readdirSync(at('artifacts'))).toEqual([])
  expect(readdirSync(outside)).toEqual(['kept'])
  expect(duty.report()).toMatchObject({ deletedArtifacts: 5, reclaimedBytes: 0 })
})

test.each([
  '',
  'logs',
  'artifacts',
  'partial',
])('nothing is deleted where tasks.db-files/%s is a link', async (name) => {
  const { idOf, makeDuty } = setUp([1])
  const outside = place.pathOf('outside')
  for (const folder of ['artifacts', 'partial', idOf(1)]) write(join(outside, folder, idOf(1), 'kept'))
  if (name !== '') mkdirSync(at())
  if (name === 'partial') write(at('artifacts', idOf(1), 'kept'))
  if (name === 'artifacts') write(at('logs', `${idOf(9)}.log`))
  if (name === 'logs') write(join(outside, `${idOf(9)}.log`))
  symlinkSync(outside, name === '' ? at() : at(name))
  const duty = makeDuty()
  const error = await rejectionOf(run(duty), 'ARTIFACTS_NOT_PRUNED')
  expect(error.message).toContain('is a link')
  expect(duty.report()).toMatchObject({ deletedArtifacts: 0 })
  for (const folder of ['artifacts', 'partial', idOf(1)])
    expect(existsSync(join(outside, folder, idOf(1), 'kept'))).toBe(true)
  if (name === 'partial') expect(existsSync(at('artifacts', idOf(1), 'kept'))).toBe(true)
  if (name === 'artifacts' || name === 'logs') expect(existsSync(at('logs', `${idOf(9)}.log`))).toBe(true)
})

test('a folder that is missing is no fault, and a file in its place is one', async () => {
  const { makeDuty } = setUp([1])
  const duty = makeDuty()
  await run(duty)
  expect(duty.report()).toMatchObject({
    deletedArtifacts: 0,
    examined: 0,
    details: expect.stringContaining('not there'),
  })
  mkdirSync(at())
  await run(makeDuty())
  writeFileSync(at('artifacts'), 'in the way')
  expect((await rejectionOf(run(makeDuty()), 'ARTIFACTS_NOT_PRUNED')).message).toContain('not a folder')
})

test('what may not be deleted is told at the end, and the rest is deleted', () => {
  const { idOf } = setUp([1, 1, 1])
  for (const seq of [1, 2, 3]) write(at('artifacts', idOf(seq), 'a.txt'))
  chmodSync(at('artifacts'), 0o777)
  chmodSync(at('artifacts', idOf(1)), 0o777)
  for (const seq of [2, 3]) chmodSync(at('artifacts', idOf(seq)), 0o555)
  for (const path of [place.folder, at()]) chmodSync(path, 0o700)
  const report = () =>
    JSON.parse(spawnSync(process.execPath, [program, place.pathOf('tasks.db')]).stdout.toString())
  const unread = { error: { code: 'ARTIFACTS_NOT_PRUNED' }, report: { deletedArtifacts: 0 } }
  // Root's folders, in the eyes of nobody; whoever owns them may read them.
  if (process.getuid?.() === 0) expect(report()).toMatchObject(unread)
  for (const path of [tmpdir(), place.folder, at()]) chmodSync(path, 0o755)
  expect(report()).toMatchObject({
    error: {
      code: 'ARTIFACTS_NOT_PRUNED',
      message: expect.stringMatching(/a\.txt cannot be deleted, nor can 1 others: EACCES/),
    },
    report: { deletedArtifacts: 1 },
  })
  expect(readdirSync(at('artifacts'))).toEqual([2, 3].map(idOf))
  for (const seq of [2, 3]) chmodSync(at('artifacts', idOf(seq)), 0o755)
})

test('many folders, and many files in one, are done in several slices', async () => {
  const { idOf, makeDuty } = setUp([1])
  for (let file = 0; file < 500; file++) write(at('artifacts', idOf(1), `file${file}`), '')
  for (let seq = 2; seq <= 500; seq++) write(at('artifacts', idOf(seq), 'one'), '')
  const duty = makeDuty()
  expect(await run(duty)).toBeGreaterThan(4)
  expect(readdirSync(at('artifacts'))).toEqual([])
  expect(duty.report().deletedArtifacts).toBe(999)
})
