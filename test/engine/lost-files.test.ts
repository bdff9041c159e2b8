import { execFileSync } from 'node:child_process'
import { copyFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { rejectionOf, startScripted, useEngines } from './open-engine.ts'
import { openPrograms } from './open-programs.ts'
import { livingWith, uniqueSeconds } from './program-voices.ts'

const engines = useEngines()

test('without its lock file a database that is in use is refused all the same, and is free after the stop', async () => {
  const engine = await engines.open()
  rmSync(engines.pathOf('tasks.db.lock'))
  const error = await rejectionOf(engines.open(), 'DATABASE_LOCKED')
  expect(error.message).toContain(`process ${process.pid} on`)
  expect(error.message).toContain('tasks.db.lock was removed')
  expect(error.details).toMatchObject({ holder: { pid: process.pid } })
  // A second time too: the lock file that the first refusal has left is not the holder's.
  await rejectionOf(engines.open(), 'DATABASE_LOCKED')
  expect(await (await engine.enqueue('OK', 1)).result()).toBe(1)
  await engine.stop()
  rmSync(engines.pathOf('tasks.db.lock'))
  expect(await (await (await engines.open()).enqueue('OK', 2)).result()).toBe(2)
})

test('an engine that is refused ends no program of the one that runs', async () => {
  const database = engines.pathOf('tasks.db')
  const engine = await openPrograms(engines)
  const [voice, ear] = [engines.pathOf('voice'), engines.pathOf('ear')]
  execFileSync('mkfifo', [voice, ear])
  const script = `echo up > '${voice}'; cat '${ear}'`
  const job = await engine.enqueue('SUBPROCESS', { command: 'sh', args: ['-c', script] })
  expect(await readFile(voice, 'utf8')).toBe('up\n')
  rmSync(`${database}.lock`)
  await rejectionOf(openPrograms(engines), 'DATABASE_LOCKED')
  await writeFile(ear, '{"heard":true}\n')
  expect(await job.result()).toMatchObject({ result: { heard: true } })
})

/** Each as a user might do it under a running engine. */
test.each([
  ['deleted', (path: string) => rmSync(path)],
  ['replaced', (path: string) => replace(path)],
])('a database that is %s under its engine ends it, and nothing more is acknowledged', async (_, lose) => {
  const engine = engines.keep(await startScripted({ database: engines.pathOf('tasks.db') }))
  await (await engine.enqueue('OK', 1)).result()
  const failed = new Promise<{ error: { message: string } }>((resolve) =>
    engine.events.once('engine-failed', resolve),
  )
  lose(engines.pathOf('tasks.db'))
  const error = await rejectionOf(engine.enqueue('OK', 2), 'DATABASE_MOVED')
  expect(error.message).toContain(`${engines.pathOf('tasks.db')} was moved, replaced or deleted`)
  const { message } = (await failed).error
  expect(message).toContain('was moved, replaced or deleted')
  expect(message).not.toContain('everything acknowledged is kept')
  await rejectionOf(engine.enqueue('OK', 3), 'ENGINE_FAILED')
  expect(await engine.stop()).toMatchObject({ graceful: false })
  // Whatever is at the path now is as good as any, and no WAL of another is beside it.
  expect(await (await (await engines.open()).enqueue('OK', 4)).result()).toBe(4)
})

test('a database that was moved under its engine takes with it all that was acknowledged', async () => {
  const path = engines.pathOf('tasks.db')
  const engine = engines.keep(await startScripted({ database: path }))
  const job = await engine.enqueue('OK', 1)
  await job.result()
  const failed = new Promise((resolve) => engine.events.once('engine-failed', resolve))
  const retries: unknown[] = []
  engine.events.on('commit-failed', ({ retryInMs }) => retries.push(retryInMs))
  renameSync(path, engines.pathOf('archive.db'))
  await rejectionOf(engine.enqueue('OK', 2), 'DATABASE_MOVED')
  await failed
  await engine.stop()
  expect(retries).toEqual([undefined])
  expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0)
  const archive = engines.keep(await startScripted({ database: engines.pathOf('archive.db') }))
  expect(await archive.get(job.id)).toMatchObject({ state: 'DONE' })
  await archive.stop()
  renameSync(engines.pathOf('archive.db'), path)
})

test('a database that was moved while a program runs ends the program with its engine', async () => {
  const path = engines.pathOf('tasks.db')
  const engine = await openPrograms(engines)
  const voice = engines.pathOf('voice')
  execFileSync('mkfifo', [voice])
  const seconds = uniqueSeconds()
  const script = `echo up > '${voice}'; sleep ${seconds}`
  await engine.enqueue('SUBPROCESS', { command: 'sh', args: ['-c', script] })
  expect(await readFile(voice, 'utf8')).toBe('up\n')
  const failed = new Promise((resolve) => engine.events.once('engine-failed', resolve))
  renameSync(path, `${path}.old`)
  await rejectionOf(engine.enqueue('PLAIN'), 'DATABASE_MOVED')
  await failed
  expect(livingWith(seconds)).toEqual([])
  await engine.stop()
  renameSync(`${path}.old`, path)
  await (await openPrograms(engines)).cancel({ queue: 'default' })
})

test('a stop goes on to its end where the database was moved meanwhile', async () => {
  const path = engines.pathOf('tasks.db')
  const engine = engines.keep(await startScripted({ database: path }))
  const job = await engine.enqueue('GATE', { gate: 'g' })
  await engines.stage.waits('g')
  const stopped = engine.stop({ graceMs: 500 })
  renameSync(path, `${path}.old`)
  engines.stage.open('g')
  const report = await stopped
  expect(report).toMatchObject({ graceful: false, leftRunning: 1 })
  // What a host reports whose supervisor never answered.
  expect(report.elapsedMs).not.toBe(10_500)
  renameSync(`${path}.old`, path)
  const again = await engines.open()
  await again.idle()
  expect(await again.get(job.id)).toMatchObject({ state: 'DONE', attempt: 2 })
})

test('a database that was moved back after its engine has ended is free', async () => {
  const path = engines.pathOf('tasks.db')
  const engine = engines.keep(await startScripted({ database: path }))
  renameSync(path, `${path}.old`)
  const failed = new Promise((resolve) => engine.events.once('engine-failed', resolve))
  await rejectionOf(engine.enqueue('OK', 1), 'DATABASE_MOVED')
  await failed
  await engine.stop()
  rmSync(`${path}.lock`)
  renameSync(`${path}.old`, path)
  expect(await (await (await engines.open()).enqueue('OK', 2)).result()).toBe(2)
})

test('a database that was gone unnoticed is told of at the stop', async () => {
  const engine = engines.keep(await startScripted({ database: engines.pathOf('tasks.db') }))
  const told = new Promise<{ error: { code?: string } }>((resolve) =>
    engine.events.once('commit-failed', resolve),
  )
  rmSync(engines.pathOf('tasks.db'))
  await engine.stop()
  expect((await told).error.code).toBe('DATABASE_MOVED')
  await engines.open()
})

function replace(path: string): void {
  copyFileSync(path, `${path}.new`)
  renameSync(`${path}.new`, path)
}
