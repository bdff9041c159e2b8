import { spawnSync } from 'node:child_process'
import { copyFileSync, rmSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { afterEach, expect, test } from 'vitest'
import { closeWriter } from '../../src/store/close.ts'
import { DatabaseLock } from '../../src/store/lock.ts'
import { openForSchema, openWriter } from '../../src/store/open.ts'
import { thrownBy, usePlace } from './folder.ts'

const place = usePlace()
const locks: DatabaseLock[] = []

afterEach(() => {
  for (const lock of locks.splice(0)) lock.release()
})

function open(path: string): Database {
  const lock = DatabaseLock.acquire(path, 'test')
  locks.push(lock)
  return place.keep(openWriter({ path, durability: 'power', lock }))
}

const noteOf = (database: Database): unknown =>
  database.prepare("SELECT value FROM meta WHERE name = 'holder'").pluck().get()

/** A database that somebody seems to have open whose lock file was removed. */
function makeHeld(changes: Readonly<Record<string, unknown>>): string {
  const file = place.pathOf('tasks.db')
  const database = open(file)
  const note: unknown = JSON.parse(String(noteOf(database)))
  const changed = JSON.stringify(Object.assign({}, note, changes))
  database.prepare("UPDATE meta SET value = ? WHERE name = 'holder'").run(changed)
  database.close()
  for (const lock of locks.splice(0)) lock.release()
  return file
}

test('a database whose holder runs is refused by all who would write', () => {
  const file = makeHeld({ lockFile: 'gone' })
  const error = thrownBy(() => open(file), 'DATABASE_LOCKED')
  expect(error.message).toContain(`${file} is open in test, process ${process.pid} on`)
  for (const lock of locks.splice(0)) lock.release()
  const lock = DatabaseLock.acquire(file)
  locks.push(lock)
  thrownBy(() => openForSchema(file, lock), 'DATABASE_LOCKED')
})

test.each([
  ['holds the lock no more', {}],
  ['has ended', { lockFile: 'gone', pid: spawnSync('true').pid }],
  ['ran before the machine was started', { lockFile: 'gone', bootId: 'another' }],
  ['left its number to another', { lockFile: 'gone', startTicks: 1 }],
  ['has another file open, of which this is a copy', { lockFile: 'gone', databaseFile: 'another' }],
])('a database whose holder %s is free', (_, changes) => {
  const file = makeHeld(changes)
  expect(JSON.parse(String(noteOf(open(file))))).toMatchObject({ pid: process.pid, program: 'test' })
})

test('the note is removed at the end, and costs no promise of durability', () => {
  const file = place.pathOf('tasks.db')
  const database = open(file)
  expect(database.pragma('synchronous', { simple: true })).toBe(2)
  closeWriter(database)
  rmSync(`${file}.lock`)
  copyFileSync(file, place.pathOf('copy.db'))
  expect(
    noteOf(place.keep(openWriter({ path: place.pathOf('copy.db'), durability: 'process' }))),
  ).toBeUndefined()
})
