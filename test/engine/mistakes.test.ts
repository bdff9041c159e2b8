/** Goal: mistakes that a user makes once are told at once, and cost nothing. Method: real engines, one mistake each. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import { defineJobs } from '../../src/jobs.ts'
import basic from '../fixtures/jobs/basic.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mistakes-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('options that are used again for the next job do not change the last one', async () => {
  await using engine = await Engine.start({ jobs: basic, database: join(folder, 'jobs.db'), threads: 1 })
  const options = { subjectKey: '' }
  const adding = ['a', 'b', 'c'].map((key) => {
    options.subjectKey = key
    return engine.enqueue('NOOP', null, options)
  })
  const jobs = await Promise.all(adding)
  const details = await Promise.all(jobs.map((job) => engine.get(job.id)))
  expect(details.map((job) => job?.subjectKey)).toEqual(['a', 'b', 'c'])
})

test('a grace that is no time is refused', async () => {
  await using engine = await Engine.start({ jobs: basic, database: join(folder, 'jobs.db'), threads: 1 })
  for (const graceMs of [Number.POSITIVE_INFINITY, Number.NaN, -1])
    await expect(engine.stop({ graceMs })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
})

test('what is misspelt, left out or empty is refused, and named', async () => {
  await using engine = await Engine.start({
    jobs: basic,
    database: join(folder, 'jobs.db'),
    threads: 1,
    logLevel: 'silent',
  })
  const misspelt = [{ type: 'NOOP', payload: null, option: { timeoutMs: 50 } }] as const
  const { id } = await engine.enqueue('NOOP')
  // biome-ignore lint/suspicious/noSparseArray: it is what is tested
  const sparse = [, id]
  const refused = (reply: Promise<unknown>, code: string, text: string) =>
    expect(reply).rejects.toMatchObject({ code, message: expect.stringContaining(text) })
  await refused(engine.enqueueMany(misspelt), 'OPTION_INVALID', 'option is not a field of a job')
  await refused(engine.enqueueMany(new Set(misspelt)), 'OPTION_INVALID', 'Allowed: type, payload, options')
  // @ts-expect-error what only JavaScript can pass
  await refused(engine.stop({ grace: 0 }), 'OPTION_INVALID', 'grace is not an option of stop')
  // @ts-expect-error the same
  await refused(engine.cancel(sparse), 'JOB_ID_INVALID', 'undefined is not a job id')
  for (const name of ['queue', 'subjectPrefix', 'jobType', 'userTag', 'chainGroupId'])
    await refused(engine.list({ [name]: '' }), 'OPTION_INVALID', `${name} is ""`)
  await engine.idle()
  expect((await engine.list({ cursor: undefined, queue: 'default' })).jobs).toMatchObject([
    { id, state: 'DONE' },
  ])
})

test('job types that no thread would serve are refused at the start', async () => {
  const module = join(folder, 'other.mjs')
  writeFileSync(module, `export { default } from ${JSON.stringify(basic.url)}`)
  const jobs = defineJobs(pathToFileURL(module).href, { ELSEWHERE: { run() {} } })
  await expect(Engine.start({ jobs, database: join(folder, 'jobs.db'), threads: 1 })).rejects.toMatchObject({
    code: 'JOBS_MODULE_INVALID',
    message: expect.stringContaining('ELSEWHERE'),
  })
})

test('a database that has lost a table is refused as damaged', async () => {
  const path = join(folder, 'jobs.db')
  await (await Engine.start({ jobs: basic, database: path, threads: 1 })).stop()
  const database = new Database(path)
  database.exec('DROP TABLE attempts')
  database.close()
  await expect(Engine.start({ jobs: basic, database: path, threads: 1 })).rejects.toMatchObject({
    code: 'DATABASE_CORRUPT',
    message: expect.stringContaining('no such table: attempts'),
  })
})

test('a recovery that fails for a job leaves it, and forgets nothing', async () => {
  const path = join(folder, 'jobs.db')
  const first = await Engine.start({ jobs: basic, database: path, threads: 1 })
  const job = await first.enqueue('NOOP')
  await job.result()
  await first.stop()
  using database = disposable(new Database(path))
  database.opened.exec(`UPDATE jobs SET state = 'RUNNING', finished_at = NULL;
    UPDATE meta SET value = '1' WHERE name = 'claims';
    UPDATE counters SET jobs = 0 WHERE state = 'DONE';
    INSERT OR REPLACE INTO counters VALUES ('default', 'RUNNING', 1);
    CREATE TRIGGER broken BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ABORT, 'broken'); END`)
  const second = await Engine.start({ jobs: basic, database: path, threads: 1 })
  expect(await second.get(job.id)).toMatchObject({ state: 'RUNNING' })
  expect(await second.stop()).toMatchObject({ leftRunning: 1 })

  database.opened.exec('DROP TRIGGER broken')
  await using engine = await Engine.start({ jobs: basic, database: path, threads: 1 })
  await engine.idle()
  expect(await engine.get(job.id)).toMatchObject({ state: 'DONE', attempt: 2 })
})

function disposable(opened: Database.Database): {
  readonly opened: Database.Database
  [Symbol.dispose](): void
} {
  return { opened, [Symbol.dispose]: () => opened.close() }
}
