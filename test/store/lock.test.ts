import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import Connection from 'better-sqlite3'
import { afterEach, expect, test } from 'vitest'
import { DatabaseLock, readLockHolder } from '../../src/store/lock.ts'
import { openWriter } from '../../src/store/open.ts'
import { thrownBy, usePlace } from './folder.ts'

const place = usePlace()
const fixture = join(import.meta.dirname, '../fixtures/lock-holder.ts')
const children: ChildProcess[] = []
const locks: DatabaseLock[] = []

afterEach(async () => {
  for (const lock of locks.splice(0)) lock.release()
  await Promise.all(children.splice(0).map(end))
})

function acquire(path: string): DatabaseLock {
  const lock = DatabaseLock.acquire(path)
  locks.push(lock)
  return lock
}

async function startHolder(): Promise<ChildProcess> {
  const child = fork(fixture, { execArgv: [] })
  children.push(child)
  await once(child, 'message')
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

async function tell(holder: ChildProcess, message: unknown): Promise<unknown> {
  const reply = once(holder, 'message')
  holder.send(message as object)
  const [answer] = await reply
  return answer
}

test('a second one in the process is refused, by any path, until the first gives it back', () => {
  mkdirSync(place.pathOf('real'))
  symlinkSync('real', place.pathOf('folder'))
  symlinkSync('real/tasks.db', place.pathOf('link.db'))
  const paths = ['real/tasks.db', 'folder/tasks.db', 'link.db'].map(place.pathOf)
  const lock = acquire(place.pathOf('link.db'))
  expect(existsSync(place.pathOf('real/tasks.db.lock'))).toBe(true)
  expect(existsSync(place.pathOf('link.db.lock'))).toBe(false)
  for (const path of paths) thrownBy(() => acquire(path), 'DATABASE_LOCKED')
  // The same once the file that the link names is there.
  openWriter({ path: place.pathOf('link.db'), durability: 'process' }).close()
  for (const path of paths) thrownBy(() => acquire(path), 'DATABASE_LOCKED')
  acquire(place.pathOf('real/other.db'))
  lock.release()
  lock.release()
  acquire(place.pathOf('folder/tasks.db'))
})

test('the holder is known to others while it lives', () => {
  const file = place.pathOf('tasks.db')
  expect(readLockHolder(file)).toBeUndefined()
  expect(existsSync(`${file}.lock`)).toBe(false)
  const before = Date.now()
  const lock = DatabaseLock.acquire(file, 'semantica')
  locks.push(lock)
  const holder = readLockHolder(file)
  expect(holder).toEqual({
    pid: process.pid,
    host: hostname(),
    since: expect.any(Number),
    program: 'semantica',
  })
  expect(holder?.since).toBeGreaterThanOrEqual(before)
  lock.release()
  expect(readLockHolder(file)).toBeUndefined()
})

test('another process is refused with the name of the holder, and the other way round', async () => {
  const file = place.pathOf('tasks.db')
  const holder = await startHolder()
  const lock = acquire(file)
  expect(await tell(holder, { acquire: file })).toMatchObject({
    code: 'DATABASE_LOCKED',
    message: expect.stringContaining(`process ${process.pid} on ${hostname()}, since 2`),
    details: { holder: { pid: process.pid } },
  })
  lock.release()
  expect(await tell(holder, { acquire: file })).toBe('held')
  expect(readLockHolder(file)).toMatchObject({ pid: holder.pid, program: 'fixture' })
  const error = thrownBy(() => acquire(file), 'DATABASE_LOCKED')
  expect(error.message).toContain(`${file} is open in fixture, process ${holder.pid} on`)
  expect(error.details).toMatchObject({ holder: { pid: holder.pid, program: 'fixture' } })
  expect(await tell(holder, 'release')).toBe('released')
  acquire(file)
})

test('the lock of a killed process is free at once, and names nobody', async () => {
  const file = place.pathOf('tasks.db')
  const holder = await startHolder()
  expect(await tell(holder, { acquire: file })).toBe('held')
  await end(holder)
  expect(existsSync(`${file}.lock`)).toBe(true)
  expect(readLockHolder(file)).toBeUndefined()
  acquire(file)
  expect(readLockHolder(file)?.pid).toBe(process.pid)
})

test('of processes that try at once exactly one wins, and the others name it', async () => {
  const rounds = process.env.SEMANTICA_TEST_FULL === undefined ? 10 : 200
  const holders = await Promise.all([startHolder(), startHolder(), startHolder()])
  for (let round = 0; round < rounds; round += 1) {
    // A new file now and then: the first moments of a lock file are the race's hardest.
    const file = place.pathOf(`tasks-${round % 5}.db`)
    const answers = await Promise.all(holders.map((holder) => tell(holder, { acquire: file })))
    const winners = holders.filter((_, index) => answers[index] === 'held')
    expect(winners).toHaveLength(1)
    const refusal = { code: 'DATABASE_LOCKED', details: { holder: { pid: winners[0]?.pid } } }
    for (const answer of answers) if (answer !== 'held') expect(answer).toMatchObject(refusal)
    for (const winner of winners) await tell(winner, 'release')
  }
})

test('who finds the name of another when it holds the lock gives way', () => {
  const file = place.pathOf('tasks.db')
  acquire(file).release()
  // Stands for another process that writes its name between our commit and our second BEGIN.
  const other = new Connection(`${file}.lock`)
  other.exec(`CREATE TRIGGER gap AFTER INSERT ON holder BEGIN
    UPDATE holder SET pid = 1, token = 'other';
  END`)
  expect(thrownBy(() => acquire(file), 'DATABASE_LOCKED').details).toMatchObject({ holder: { pid: 1 } })
  // And has kept no lock.
  other.exec('BEGIN IMMEDIATE; DROP TRIGGER gap; COMMIT')
  other.close()
  acquire(file)
})

test('a thread is refused too, and its own lock ends with it', async () => {
  const file = place.pathOf('tasks.db')
  const thread = new Worker(fixture)
  await once(thread, 'message')
  const ask = async () => {
    const reply = once(thread, 'message')
    thread.postMessage({ acquire: file })
    return (await reply)[0]
  }
  const lock = acquire(file)
  expect(await ask()).toMatchObject({ code: 'DATABASE_LOCKED', details: { holder: { pid: process.pid } } })
  lock.release()
  expect(await ask()).toBe('held')
  thrownBy(() => acquire(file), 'DATABASE_LOCKED')
  await thread.terminate()
  expect(readLockHolder(file)).toBeUndefined()
  acquire(file)
})

test('looking at the lock takes nothing from the holder', async () => {
  const file = place.pathOf('tasks.db')
  acquire(file)
  const other = await startHolder()
  for (let look = 0; look < 3; look += 1) {
    expect(await tell(other, { acquire: file })).toMatchObject({ code: 'DATABASE_LOCKED' })
    expect(readLockHolder(file)?.pid).toBe(process.pid)
  }
})

test('a holder that nobody refers to keeps its lock', async () => {
  const file = place.pathOf('tasks.db')
  acquire(file)
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const other = await startHolder()
  expect(await tell(other, { acquire: file })).toMatchObject({ code: 'DATABASE_LOCKED' })
})

test('what another copy of the package holds in this thread is refused by the registry', () => {
  const file = place.pathOf('tasks.db')
  const shared = globalThis as { [key: symbol]: unknown }
  const registry = shared[Symbol.for('semantica-task-engine.locks')]
  expect(registry).toBeInstanceOf(Map)
  const held = registry as Map<string, unknown>
  const holder = { pid: process.pid, host: 'here', since: 0, program: 'copy' }
  held.set(file, { holder })
  expect(thrownBy(() => acquire(file), 'DATABASE_LOCKED').message).toContain('copy, process')
  expect(readLockHolder(file)).toEqual(holder)
  held.delete(file)
  acquire(file)
})

test.each([
  ['text', (file: string) => writeFileSync(file, 'a line of text\n'.repeat(100))],
  ['one character', (file: string) => writeFileSync(file, 'x')],
  ['the database of another program', makeForeign],
])('a lock file that is %s is refused, and kept', (_, make) => {
  const file = place.pathOf('tasks.db')
  make(`${file}.lock`)
  const size = statSync(`${file}.lock`).size
  const error = thrownBy(() => acquire(file), 'DATABASE_FOREIGN')
  expect(error.message).toContain(`${file}.lock is not a lock file`)
  thrownBy(() => readLockHolder(file), 'DATABASE_FOREIGN')
  expect(statSync(`${file}.lock`).size).toBe(size)
})

function makeForeign(file: string): void {
  const database = new Connection(file)
  database.exec('CREATE TABLE theirs (a)')
  database.close()
}

test('a path where no lock can be made is an error of the path', () => {
  thrownBy(() => acquire(place.folder), 'PATH_INVALID')
  thrownBy(() => acquire(place.pathOf('no/tasks.db')), 'PATH_INVALID')
  thrownBy(() => acquire('/proc/tasks.db'), 'DATABASE_READ_ONLY')
  expect(readLockHolder('/proc/tasks.db')).toBeUndefined()
})
