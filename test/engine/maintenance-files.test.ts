/** Goal: what the duties find and delete, as a user sees it: in the job, in the report, in the events. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import Connection from 'better-sqlite3'
import { expect, test } from 'vitest'
import { rejectionOf, startScripted, useEngines } from './open-engine.ts'
import { openLeaving } from './open-leaving.ts'

const engines = useEngines()
const maintenance = { artifactRetentionDays: 0, intervalHours: 8_760 }
const artifact = { call: 'artifact', values: ['a.txt', 'kept'] }

/** What the engine says of failed duties, from now on. */
function failuresOf(engine: Pick<Awaited<ReturnType<typeof openLeaving>>, 'events'>) {
  const failures: unknown[] = []
  engine.events.on('maintenance-failed', ({ duty, error }) => failures.push([duty, error.code]))
  return failures
}

test('a run deletes artifacts past their time, and the job says that they are gone', async () => {
  const engine = await openLeaving(engines, { maintenance })
  const { stage } = engines
  const ended = await engine.enqueue('CALLS', { calls: [artifact, { call: 'log', values: ['here'] }] })
  await ended.result()
  const running = await engine.enqueue('CALLS_AND_WAITS', { calls: [artifact], gate: 'g' })
  await stage.waits('g')
  const report = await engine.maintenance.runNow()
  expect(report).toMatchObject({ outcome: 'completed', deletedArtifacts: 1, deletedJobs: 0 })
  expect(report.duties.find(({ duty }) => duty === 'prune-artifacts')).toMatchObject({ reclaimedBytes: 4 })
  expect(report.duties.map(({ duty }) => duty)).toContain('check-integrity')
  expect((await engine.get(ended.id))?.artifacts).toMatchObject([{ name: 'a.txt', bytes: 4, exists: false }])
  expect(await engine.readLog(ended.id)).toContain('here')
  expect(readdirSync(engines.pathOf('tasks.db-files/artifacts'))).toEqual([running.id])
  stage.open('g')
  await running.result()
  expect((await engine.get(running.id))?.artifacts).toMatchObject([{ exists: true }])
})

test('a folder of artifacts that is a link fails its duty only, and nothing behind it is touched', async () => {
  const engine = await openLeaving(engines, { maintenance })
  const failures = failuresOf(engine)
  const job = await engine.enqueue('CALLS', { calls: [artifact] })
  await job.result()
  const ended = new Promise((resolve) => engine.events.once('maintenance-completed', resolve))
  mkdirSync(engines.pathOf('elsewhere'))
  renameSync(engines.pathOf('tasks.db-files/artifacts'), engines.pathOf('elsewhere/artifacts'))
  symlinkSync(engines.pathOf('elsewhere/artifacts'), engines.pathOf('tasks.db-files/artifacts'))
  const error = await rejectionOf(engine.maintenance.runNow(), 'ARTIFACTS_NOT_PRUNED')
  expect(existsSync(engines.pathOf(`elsewhere/artifacts/${job.id}/a.txt`))).toBe(true)
  // What was done all the same is told: in the error, in the event, in the log.
  const amounts = { deletedJobs: 0, elapsedMs: expect.any(Number) }
  expect(error.details).toMatchObject({
    path: expect.any(String),
    report: {
      ...amounts,
      outcome: 'failed',
      // Which of them failed, and with what.
      duties: [
        expect.not.objectContaining({ failure: expect.anything() }),
        { duty: 'prune-artifacts', failure: { code: 'ARTIFACTS_NOT_PRUNED' } },
        expect.not.objectContaining({ failure: expect.anything() }),
        expect.not.objectContaining({ failure: expect.anything() }),
      ],
    },
  })
  expect(await ended).toMatchObject({ outcome: 'failed', ...amounts })
  expect(failures).toEqual([['prune-artifacts', 'ARTIFACTS_NOT_PRUNED']])
})

test('what fails without a code of ours has one, its cause, and what was done all the same', async () => {
  const first = await openLeaving(engines)
  await (await first.enqueue('CALLS', { calls: [artifact] })).result()
  await first.stop()
  engines.change("CREATE TRIGGER harm BEFORE DELETE ON jobs BEGIN SELECT RAISE(ABORT, 'the job stays'); END")
  const engine = await openLeaving(engines, { maintenance: { ...maintenance, retentionDays: 0 } })
  const failures = failuresOf(engine)
  const error = await rejectionOf(engine.maintenance.runNow(), 'MAINTENANCE_FAILED')
  expect(error.message).toContain('prune-jobs failed: the job stays.')
  const { code } = error
  expect(error).toMatchObject({
    cause: { code: 'SQLITE_CONSTRAINT_TRIGGER', message: 'the job stays' },
    details: { reason: 'SQLITE_CONSTRAINT_TRIGGER', report: { outcome: 'failed', deletedArtifacts: 1 } },
  })
  const duties = expect.arrayContaining([
    expect.objectContaining({ duty: 'prune-jobs', failure: expect.objectContaining({ code }) }),
  ])
  expect(error.details.report).toMatchObject({ duties })
  expect(failures).toEqual([['prune-jobs', 'MAINTENANCE_FAILED']])
})

test('damage is told as an event and an error, and the engine goes on', async () => {
  await (await openLeaving(engines)).stop()
  engines.change('INSERT INTO payloads VALUES (99999, 1)')
  const engine = await openLeaving(engines, { maintenance })
  const failures = failuresOf(engine)
  const error = await rejectionOf(engine.maintenance.runNow(), 'DATABASE_CORRUPT')
  expect(error.details).toMatchObject({
    findings: ['1 rows of payloads belong to no job, the first is 99999'],
  })
  await engine.stats()
  expect(failures).toEqual([['check-integrity', 'DATABASE_CORRUPT']])
  await (await engine.enqueue('CALLS', { calls: [] })).result()
})

test('a page that no duty can read has the code of damage in each of them', async () => {
  const first = await engines.open({ maintenance: false })
  const job = { type: 'OK', payload: 'x'.repeat(1_000) } as const
  await first.enqueueMany(Array.from({ length: 200 }, () => job))
  await first.idle()
  await first.stop()
  // Of young ones only a few are read.
  engines.change('UPDATE jobs SET created_at = 0')
  // A copy, since what was harmed is not sound after the test.
  const path = engines.pathOf('harmed.db')
  copyFileSync(engines.pathOf('tasks.db'), path)
  harmJobs(path)
  const engine = await startScripted({ database: path, maintenance })
  const failures = failuresOf(engine)
  await rejectionOf(engine.maintenance.runNow(), 'DATABASE_CORRUPT')
  await engine.stop()
  expect(failures).toEqual([
    ['prune-jobs', 'DATABASE_CORRUPT'],
    ['check-integrity', 'DATABASE_CORRUPT'],
  ])
})

/** Writes nonsense over leaf pages of the jobs, in the middle, so that an engine still starts. */
function harmJobs(path: string): void {
  const database = new Connection(path, { readonly: true })
  const pages = database
    .prepare<[], number>(
      "SELECT pageno FROM dbstat WHERE name = 'jobs' AND pagetype = 'leaf' ORDER BY pageno",
    )
    .pluck()
    .all()
  database.close()
  const file = openSync(path, 'r+')
  for (const page of pages.slice(5, 8))
    writeSync(file, Buffer.alloc(8_192, 0xaa), 0, 8_192, (page - 1) * 8_192)
  closeSync(file)
}
