/** Goal: what is past retention goes, with all that hangs on it, while the engine runs; and nothing else. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { EngineEventMap } from '../../src/telemetry/events.ts'
import { readTable, rejectionOf, useEngines } from './open-engine.ts'
import { openLeaving } from './open-leaving.ts'

const engines = useEngines()
const path = () => engines.pathOf('tasks.db')
const day = 24 * 3_600_000
const tablesOfJobs = [
  'jobs',
  'attempts',
  'payloads',
  'progress',
  'idempotency_keys',
  'subjects',
  'expirations',
]
const countRows = (table: string) =>
  readTable<{ rows: number }>(path(), `SELECT count(*) AS rows FROM ${table}`)[0]?.rows

/** Everything that has finished goes at once. */
const keepNothing = { retentionDays: 0, compactFreePercent: 1 }

type Engine = Awaited<ReturnType<typeof engines.open>>

function heard<Name extends keyof EngineEventMap>(engine: Engine, name: Name) {
  return new Promise<EngineEventMap[Name]>((resolve) => engine.events.once(name, resolve))
}

test('a run deletes finished jobs with all that hangs on them, and leaves those that live', async () => {
  const engine = await openLeaving(engines, { maintenance: keepNothing })
  const calls = [
    { call: 'artifact', values: ['a.txt', 'kept with it'] },
    { call: 'log', values: ['a line'] },
    { call: 'progress', values: [0.5, 'half'] },
  ]
  const options = { subjectKey: 'a', idempotencyKey: 'key', deadline: new Date(Date.now() + day) }
  const done = await engine.enqueue('CALLS', { calls, failures: 1 }, options)
  const long = await engine.enqueue('PLAIN', 'x'.repeat(20_000))
  await Promise.all([done.result(), long.result()])
  await engine.idle()
  const report = await engine.maintenance.runNow()
  const amounts = { deletedJobs: 2, deletedEarly: 0, deletedArtifacts: 1, elapsedMs: expect.any(Number) }
  expect(report).toMatchObject({ reason: 'asked', ...amounts })
  expect(report.duties.map(({ duty }) => duty)).toEqual(expect.arrayContaining(['prune-jobs', 'compact']))
  expect(await engine.get(done.id)).toBeUndefined()
  expect(await engine.readLog(done.id)).toBeUndefined()
  await rejectionOf(engine.retry(done.id), 'JOB_UNKNOWN')
  for (const folder of ['logs', 'artifacts', 'partial'])
    expect(readdirSync(engines.pathOf(`tasks.db-files/${folder}`))).toEqual([])
  expect(Object.values((await engine.stats()).jobs).every((jobs) => jobs === 0)).toBe(true)
  const next = await engine.enqueue('PLAIN', 1, { subjectKey: 'a', idempotencyKey: 'key' })
  expect(next.isNew).toBe(true)
  expect((await engine.get(next.id))?.generation).toBe(1)
  await next.result()
  await engine.maintenance.runNow()
  await engine.stop()
  for (const table of [...tablesOfJobs, 'counters']) expect([table, countRows(table)]).toEqual([table, 0])
})

test('a file that cannot give back its free pages is pruned all the same, and the report says so', async () => {
  await (await engines.open()).stop()
  // As by somebody who has compacted it by hand.
  engines.change(`PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM;
    CREATE TABLE gone AS SELECT zeroblob(2000000); DROP TABLE gone`)
  const engine = await engines.open({ maintenance: keepNothing })
  await (await engine.enqueue('OK', 1)).result()
  const { duties, ...report } = await engine.maintenance.runNow()
  expect(report).toMatchObject({ deletedJobs: 1, reclaimedBytes: 0 })
  expect(duties.find(({ duty }) => duty === 'compact')?.details).toMatch(
    /^2\d\d free pages.*PRAGMA auto_vacuum = INCREMENTAL; VACUUM/,
  )
})

test('numbers of pruned jobs are not given again, not even after a restart', async () => {
  const first = await engines.open({ maintenance: keepNothing })
  const job = await first.enqueue('OK', 1)
  await job.result()
  await first.maintenance.runNow()
  await first.stop()
  const second = await engines.open({ maintenance: keepNothing })
  const other = await second.enqueue('OK', 2)
  expect(other.id).not.toBe(job.id)
  expect(await second.get(job.id)).toBeUndefined()
})

test('jobs that wait or run are left, whatever is pruned around them', async () => {
  const engine = await engines.open({ threads: 1, maintenance: keepNothing })
  const { stage } = engines
  const finished = await engine.enqueue('OK', 1)
  await finished.result()
  const running = await engine.enqueue('GATE', { gate: 'a' })
  const child = await engine.enqueue('OK', 2)
  await stage.waits('a')
  expect(await engine.maintenance.runNow()).toMatchObject({ deletedJobs: 1 })
  expect(await engine.get(running.id)).toMatchObject({ state: 'RUNNING' })
  stage.open('a')
  await Promise.all([running.result(), child.result()])
})

test('retention differs by state', async () => {
  const engine = await engines.open({ maintenance: { retentionDays: 0, retentionMs: { FAILED: day } } })
  const fails = await engine.enqueue('FATAL', null)
  const succeeds = await engine.enqueue('OK', 1)
  await Promise.allSettled([fails.result(), succeeds.result()])
  expect(await engine.maintenance.runNow()).toMatchObject({ deletedJobs: 1 })
  expect(await engine.get(succeeds.id)).toBeUndefined()
  expect(await engine.get(fails.id)).toMatchObject({ state: 'FAILED' })
})

test('the latest job of a subject stays while others of it do, so that generations go on', async () => {
  const engine = await engines.open({
    threads: 1,
    maintenance: { retentionDays: 0, retentionMs: { SUPERSEDED: day } },
  })
  const { stage } = engines
  const busy = await engine.enqueue('GATE', { gate: 'a' })
  await stage.waits('a')
  const older = await engine.enqueue('OK', 1, { subjectKey: 's' })
  const latest = await engine.enqueue('OK', 2, { subjectKey: 's' })
  await rejectionOf(older.result(), 'SUPERSEDED')
  stage.open('a')
  await Promise.all([busy.result(), latest.result()])
  expect(await engine.maintenance.runNow()).toMatchObject({ deletedJobs: 1 })
  expect(await engine.get(busy.id)).toBeUndefined()
  expect(await engine.get(latest.id)).toMatchObject({ generation: 2 })
  const next = await engine.enqueue('OK', 3, { subjectKey: 's' })
  expect(await engine.get(next.id)).toMatchObject({ generation: 3 })
  await next.result()
})

test('of too many finished jobs the oldest go, but none that finished a moment ago', async () => {
  const first = await engines.open({ maintenance: false })
  const jobs = await first.enqueueMany(
    Array.from({ length: 10 }, () => ({ type: 'OK' as const, payload: 1 })),
  )
  await first.idle()
  await first.stop()
  engines.change('UPDATE jobs SET finished_at = finished_at - 3600000 WHERE seq <= 8')
  const engine = await engines.open({ maintenance: { maxFinishedJobs: 7 } })
  const early = await engine.maintenance.runNow()
  expect(early).toMatchObject({ deletedJobs: 3, deletedEarly: 3 })
  expect(early.duties[0]).toMatchObject({
    details: 'deleted within their retention: 3 for maxFinishedJobs',
  })
  const left = await Promise.all(jobs.map(async (job) => (await engine.get(job.id)) !== undefined))
  expect(left).toEqual([...Array(3).fill(false), ...Array(7).fill(true)])
  await engine.stop()
  const last = await engines.open({ maintenance: { maxFinishedJobs: 1 } })
  expect(await last.maintenance.runNow()).toMatchObject({ deletedJobs: 5 })
})

test('a database over its size loses its oldest finished jobs, and the file shrinks', async () => {
  const first = await engines.open({ maintenance: false })
  const ballast = 'x'.repeat(10_000)
  const job = { type: 'OK' as const, payload: { ballast } }
  for (let some = 0; some < 4; some++) await first.enqueueMany(Array.from({ length: 100 }, () => job))
  await first.idle()
  await first.stop()
  engines.change('UPDATE jobs SET finished_at = finished_at - 3600000')
  const before = statSync(path()).size
  expect(before).toBeGreaterThan(4_000_000)
  const engine = await engines.open({ maintenance: { maxDatabaseMb: 4 } })
  const { deletedJobs, deletedEarly, reclaimedBytes } = await engine.maintenance.runNow()
  expect(deletedEarly).toBe(deletedJobs)
  const { DONE } = (await engine.stats()).jobs
  expect(DONE).toBe(400 - deletedJobs)
  expect(DONE).toBeGreaterThan(50)
  const after = statSync(path()).size
  expect(after).toBeLessThan(3_800_000)
  expect(before - after).toBe(reclaimedBytes)
})

test('a limit below the size of the file is seen at the next start, though nothing is written', async () => {
  const first = await engines.open({ maintenance: { maxDatabaseMb: 1_000 } })
  const job = { type: 'OK' as const, payload: 'x'.repeat(10_000) }
  await first.enqueueMany(Array.from({ length: 200 }, () => job))
  await first.idle()
  await first.maintenance.runNow()
  await first.stop()
  engines.change('UPDATE jobs SET finished_at = finished_at - 3600000')
  const engine = await engines.open({ maintenance: { maxDatabaseMb: 1 } })
  const [started, { deletedEarly }] = await Promise.all([
    heard(engine, 'maintenance-started'),
    heard(engine, 'maintenance-completed'),
  ])
  expect(started).toEqual({ reason: 'size' })
  expect(deletedEarly).toBeGreaterThan(50)
  expect(statSync(path()).size).toBeLessThan(1_000_000)
})

test('pruned and compacted, the file is as small as one that is written anew', async () => {
  const engine = await engines.open({ maintenance: { ...keepNothing, maxDatabaseMb: 1 } })
  const job = { type: 'OK' as const, payload: 'x'.repeat(100) }
  for (let some = 0; some < 3; some++) await engine.enqueueMany(Array.from({ length: 10_000 }, () => job))
  await engine.idle()
  // The first may join a run that the size began, and that has passed what ended last.
  await engine.maintenance.runNow()
  await engine.maintenance.runNow()
  expect(statSync(path()).size).toBeLessThan(400_000)
  await engine.stop()
  engines.change(`VACUUM INTO '${engines.pathOf('packed.db')}'`)
  expect(statSync(path()).size).toBeLessThan(statSync(engines.pathOf('packed.db')).size * 1.1)
})

test('an overdue run begins by itself, is told, recorded, and not repeated by a restart', async () => {
  const first = await engines.open({ maintenance: keepNothing })
  const job = await first.enqueue('OK', 1)
  await job.result()
  expect(await first.maintenance.status()).toMatchObject({ running: undefined, lastRun: undefined })
  await first.stop()
  engines.change(`UPDATE meta SET value = value - ${2 * day} WHERE name = 'created_at'`)
  const second = await engines.open({ maintenance: keepNothing })
  const [started, completed] = await Promise.all([
    heard(second, 'maintenance-started'),
    heard(second, 'maintenance-completed'),
  ])
  expect(started).toEqual({ reason: 'overdue' })
  expect(completed).toMatchObject({ deletedJobs: 1, deletedArtifacts: 0 })
  await second.stop()
  const third = await engines.open({ maintenance: keepNothing })
  const { lastRun, nextRunAt, running } = await third.maintenance.status()
  expect(running).toBeUndefined()
  expect(lastRun).toMatchObject({ deletedJobs: 1, failure: undefined })
  expect(Number(nextRunAt)).toBeGreaterThan(Date.now() + 0.8 * day)
  expect(Number(nextRunAt)).toBeLessThanOrEqual(Number(lastRun?.startedAt) + day)
})

test('without maintenance no run is planned, but one can be asked for', async () => {
  const first = await engines.open({ maintenance: false })
  await first.stop()
  engines.change(`UPDATE meta SET value = value - ${2 * day} WHERE name = 'created_at'`)
  const engine = await engines.open({ maintenance: false })
  expect(await engine.maintenance.status()).toEqual({
    running: undefined,
    lastRun: undefined,
    nextRunAt: undefined,
  })
  expect(await engine.maintenance.runNow()).toMatchObject({ deletedJobs: 0 })
})

test('who asks while a run is under way gets the same report', async () => {
  const engine = await engines.open()
  const [one, other] = await Promise.all([engine.maintenance.runNow(), engine.maintenance.runNow()])
  expect(one).toEqual(other)
  const later = await engine.maintenance.runNow()
  expect(Number(later.startedAt)).toBeGreaterThan(Number(one.startedAt))
})

test('a stop ends a run between two slices, and the next run goes on', async () => {
  const first = await engines.open({ maintenance: keepNothing })
  const job = { type: 'OK' as const, payload: 1 }
  for (let some = 0; some < 4; some++) await first.enqueueMany(Array.from({ length: 10_000 }, () => job))
  await first.idle()
  const started = heard(first, 'maintenance-started')
  const refused = rejectionOf(first.maintenance.runNow(), 'ENGINE_STOPPED')
  await started
  await first.stop()
  await refused
  const second = await engines.open({ maintenance: keepNothing })
  expect((await second.maintenance.status()).lastRun).toBeUndefined()
  await second.maintenance.runNow()
  expect((await second.stats()).jobs.DONE).toBe(0)
})

test('files of strangers and links are left alone', async () => {
  const files = engines.pathOf('tasks.db-files')
  const elsewhere = engines.pathOf('elsewhere')
  mkdirSync(`${files}/artifacts`, { recursive: true })
  mkdirSync(elsewhere)
  const engine = await engines.open({ maintenance: keepNothing })
  const job = await engine.enqueue('OK', 1)
  await job.result()
  writeFileSync(`${files}/artifacts/notes.txt`, 'mine')
  writeFileSync(`${files}/artifacts/job_00000000_1`, 'of another database')
  writeFileSync(`${elsewhere}/${job.id}.log`, 'not in our folder')
  symlinkSync(elsewhere, `${files}/logs`)
  symlinkSync(elsewhere, `${files}/artifacts/${job.id}`)
  await rejectionOf(engine.maintenance.runNow(), 'ARTIFACTS_NOT_PRUNED')
  expect(await engine.get(job.id)).toBeUndefined()
  expect(readdirSync(`${files}/artifacts`).sort()).toEqual(['job_00000000_1', job.id, 'notes.txt'].sort())
  rmSync(`${files}/logs`)
  await engine.maintenance.runNow()
  expect(readdirSync(`${files}/artifacts`).sort()).toEqual(['job_00000000_1', 'notes.txt'])
  expect(existsSync(`${elsewhere}/${job.id}.log`)).toBe(true)
})
