/** Goal: a copy that an engine can go on from, made while another works. */
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  watch,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkDatabase } from '../crash/check-database.ts'
import { rejectionOf, useEngines } from './open-engine.ts'
import { openLeaving } from './open-leaving.ts'

const engines = useEngines()

test('a backup under load holds every job acknowledged before it, and an engine goes on from it', async () => {
  const engine = await engines.open()
  const { stage } = engines
  const running = await engine.enqueue('GATE', { gate: 'g' })
  const waiting = await engine.enqueue('GATE', { gate: 'g' }, { subjectKey: 's' })
  await stage.waits('g')
  const acknowledged: string[] = []
  let isOver = false
  const flood = async () => {
    while (!isOver) {
      const jobs = await engine.enqueueMany(
        Array.from({ length: 100 }, () => ({ type: 'OK', payload: 'x'.repeat(1_000) }) as const),
      )
      acknowledged.push(...jobs.map(({ id }) => id))
    }
  }
  const floods = [flood(), flood()]
  while (acknowledged.length < 1_000) await engine.stats()
  const before = [...acknowledged]
  const report = await engine.backup(engines.pathOf('copy.db'))
  isOver = true
  await Promise.all(floods)
  expect(report).toEqual({
    path: expect.stringMatching(/\/copy\.db$/),
    bytes: expect.any(Number),
    files: 0,
    filesBytes: 0,
    elapsedMs: expect.any(Number),
  })
  expect(checkDatabase(report.path)).toEqual([])
  stage.open('g')
  await engine.stop()
  const copy = await engines.open({ database: engines.pathOf('copy.db') })
  await copy.idle()
  const done = new Set<string>()
  for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
    const page = await copy.list({ state: 'DONE', limit: 1_000, cursor })
    for (const { id } of page.jobs) done.add(id)
    cursor = page.cursor
  }
  expect(before.filter((id) => !done.has(id))).toEqual([])
  expect((await copy.get(running.id))?.state).toBe('DONE')
  expect((await copy.get(waiting.id))?.state).toBe('DONE')
})

test('with the files of jobs the copy has their logs and artifacts, and nothing that links lead to', async () => {
  const engine = await openLeaving(engines)
  const job = await engine.enqueue('CALLS', {
    calls: [
      { call: 'artifact', values: ['a.txt', 'kept'] },
      { call: 'log', values: ['logged'] },
    ],
  })
  await job.result()
  mkdirSync(engines.pathOf('elsewhere'))
  symlinkSync(engines.pathOf('elsewhere'), engines.pathOf('tasks.db-files/artifacts/link'))
  linkSync(engines.pathOf('tasks.db.lock'), engines.pathOf('tasks.db-files/artifacts/hard'))
  const plain = await engine.backup(engines.pathOf('plain.db'))
  expect(plain.files).toBe(0)
  const report = await engine.backup(engines.pathOf('copy.db'), { files: true })
  expect(report.files).toBe(2)
  expect(readdirSync(engines.folder).filter((name) => name.endsWith('-files'))).toEqual([
    'copy.db-files',
    'tasks.db-files',
  ])
  expect(readdirSync(engines.pathOf('copy.db-files/artifacts'))).toEqual([job.id])
  rmSync(engines.pathOf('tasks.db-files/artifacts/hard'))
  const log = await engine.readLog(job.id)
  await engine.stop()
  const copy = await openLeaving(engines, { database: engines.pathOf('copy.db') })
  const [artifact] = (await copy.get(job.id))?.artifacts ?? []
  expect(artifact?.path).toBe(join(`${report.path}-files`, 'artifacts', job.id, 'a.txt'))
  expect(readFileSync(artifact?.path ?? '', 'utf8')).toBe('kept')
  expect([await copy.readLog(job.id), log]).toEqual([log, expect.stringContaining('logged')])
  await copy.stop()
})

test('what cannot be done is refused, and the next one is made', async () => {
  const engine = await engines.open()
  // @ts-expect-error what only JavaScript can pass
  await rejectionOf(engine.backup(5), 'OPTION_INVALID')
  // @ts-expect-error what only JavaScript can pass
  await rejectionOf(engine.backup(engines.pathOf('a.db'), { files: 1 }), 'OPTION_INVALID')
  // @ts-expect-error no such option
  await rejectionOf(engine.backup(engines.pathOf('a.db'), { file: true }), 'OPTION_INVALID')
  await rejectionOf(engine.backup(engines.pathOf('tasks.db')), 'PATH_INVALID')
  const [first, second, third] = await Promise.allSettled([
    engine.backup(engines.pathOf('a.db')),
    engine.backup(engines.pathOf('a.db')),
    engine.backup(engines.pathOf('b.db')),
  ])
  expect(first.status).toBe('fulfilled')
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'BACKUP_TARGET_EXISTS' } })
  expect(third.status).toBe('fulfilled')
})

test('an engine that stops gives up its backups', async () => {
  const engine = await engines.open()
  const asked = Promise.allSettled([1, 2].map((n) => engine.backup(engines.pathOf(`copy${n}.db`))))
  await engine.stop()
  for (const outcome of await asked) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ENGINE_STOPPED' } })
  }
  expect(readdirSync(engines.folder).filter((name) => name.startsWith('copy'))).toEqual([])
  await rejectionOf(engine.backup(engines.pathOf('late.db')), 'ENGINE_STOPPED')
})

test('a backup that a stop meets halfway is whole, or not there', async () => {
  const engine = await engines.open()
  await engine.enqueueMany(
    Array.from({ length: 1_000 }, () => ({ type: 'OK', payload: 'x'.repeat(10_000) }) as const).values(),
  )
  const watcher = watch(engines.folder)
  const begun = new Promise<void>((resolve) => {
    watcher.on('change', (_kind, name) => (String(name).includes('partial') ? resolve() : undefined))
  })
  const asked = Promise.allSettled([engine.backup(engines.pathOf('copy.db'))])
  await begun
  watcher.close()
  await engine.stop()
  const [outcome] = await asked
  const isMade = outcome?.status === 'fulfilled'
  if (!isMade) expect(outcome).toMatchObject({ reason: { code: 'ENGINE_STOPPED' } })
  expect(existsSync(engines.pathOf('copy.db'))).toBe(isMade)
  expect(readdirSync(engines.folder).filter((name) => name.includes('partial'))).toEqual([])
})
