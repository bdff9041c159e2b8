import { statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openReader, openWriter } from '../../src/store/open.ts'
import { usePlace } from '../store/folder.ts'
import { checkDatabase, readJobs } from './check-database.ts'
import { isFull, randomFrom, seed } from './effort.ts'
import { EngineProcess } from './engine-process.ts'

const place = usePlace()
const kills = isFull ? 50 : 2
/** Jobs past their retention that each life finds; between them, some that stay. */
const agedJobs = 20_000
const keptEvery = 1_000
/** The longest that a process lives after its first run of maintenance has begun, in lines of its journal. */
const longestLife = isFull ? 3_000 : 1_500

/** Adds jobs that finished long ago, and a few that have finished now. */
function addAged(path: string): void {
  const database = openWriter({ path, durability: 'process' })
  const first =
    Number(database.prepare("SELECT value FROM meta WHERE name = 'last_seq'").pluck().get() ?? 0) + 1
  const last = first + agedJobs - 1
  database
    .transaction(() => {
      database
        .prepare(
          `INSERT INTO jobs (seq, state, job_type, queue, payload, created_at, started_at, finished_at, attempt)
           WITH RECURSIVE numbers (seq) AS (SELECT @first UNION ALL SELECT seq + 1 FROM numbers WHERE seq < @last)
           SELECT seq, 'DONE', 'STEP', 'aged', '"ballast ballast ballast ballast"', 0, 0,
           CASE seq % ${keptEvery} WHEN 0 THEN @now ELSE 0 END, 1 FROM numbers`,
        )
        .run({ first, last, now: Date.now() })
      database.exec(`INSERT INTO idempotency_keys SELECT 'key ' || seq, seq FROM jobs WHERE seq >= ${first} AND seq % 7 = 0;
        INSERT INTO attempts SELECT seq, 1, 0, 0, 'THREW', NULL FROM jobs WHERE seq >= ${first} AND seq % 5 = 0;
        INSERT INTO counters VALUES ('aged', 'DONE', ${agedJobs})
          ON CONFLICT DO UPDATE SET jobs = jobs + ${agedJobs};
        INSERT INTO meta VALUES ('last_seq', ${last}) ON CONFLICT DO UPDATE SET value = ${last}`)
    })
    .immediate()
  database.close()
}

function countAged(path: string): number {
  const database = openReader(path)
  const jobs = database
    .prepare("SELECT count(*) FROM jobs WHERE queue = 'aged' AND finished_at = 0")
    .pluck()
    .get()
  database.close()
  return Number(jobs)
}

test('SIGKILL at random moments of pruning and compacting loses nothing that is to stay', async () => {
  const database = place.pathOf('tasks.db')
  const random = randomFrom(seed)
  const acknowledged: string[] = []
  let isCutShort = false
  for (let kill = 0; kill < kills; kill++) {
    addAged(database)
    const before = countAged(database)
    await using producer = EngineProcess.producer(database, 'produce-maintained')
    await producer.line('maintaining')
    await producer.lines(producer.journal.length + 1 + Math.floor(random() ** 2 * longestLife))
    await producer.kill()
    acknowledged.push(...wordsOf(producer.journal, 'acknowledged'))
    const after = countAged(database)
    isCutShort ||= after > 0 && after < before
    expect(checkDatabase(database), `seed ${seed}, after kill ${kill}`).toEqual([])
  }
  await using last = EngineProcess.producer(database, 'drain-maintained')
  expect(await last.ended(), `seed ${seed}`).toEqual({ signal: null, code: 0 })
  expect(checkDatabase(database), `seed ${seed}, at the end`).toEqual([])
  expect(countAged(database)).toBe(0)
  const stored = readJobs(database)
  expect(
    acknowledged.filter((id) => !stored.has(id)),
    `seed ${seed}`,
  ).toEqual([])
  const kept = [...stored.values()].filter(({ seq, jobType }) => jobType === 'STEP' && seq % keptEvery === 0)
  expect(kept.length).toBeGreaterThanOrEqual((kills * agedJobs) / keptEvery)
  if (isFull) expect(isCutShort, 'no kill met pruning under way').toBe(true)
  const writer = openWriter({ path: database, durability: 'process' })
  writer.prepare('VACUUM INTO ?').run(place.pathOf('packed.db'))
  writer.close()
  expect(statSync(database).size).toBeLessThan(statSync(place.pathOf('packed.db')).size * 1.25)
})

function wordsOf(journal: readonly string[], word: string): string[] {
  return journal.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []))
}
