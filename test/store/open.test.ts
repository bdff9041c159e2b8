import { fork } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import Connection, { type Database } from 'better-sqlite3'
import { expect, test } from 'vitest'
import { locateDatabase, networkFileSystem } from '../../src/store/file-system.ts'
import { databaseMark } from '../../src/store/mark.ts'
import { openReader, openWriter, readDatabaseId } from '../../src/store/open.ts'
import { thrownBy, usePlace } from './folder.ts'

const place = usePlace()

function openWriterAt(path: string, durability: 'process' | 'power' = 'process'): Database {
  return place.keep(openWriter({ path, durability }))
}

function makeDatabase(name = 'tasks.db'): string {
  const file = place.pathOf(name)
  openWriter({ path: file, durability: 'process' }).close()
  return file
}

function settings(database: Database): Record<string, unknown> {
  const names = [
    'journal_mode',
    'synchronous',
    'foreign_keys',
    'wal_autocheckpoint',
    'busy_timeout',
    'temp_store',
    'cache_size',
    'locking_mode',
    'mmap_size',
    'page_size',
    'auto_vacuum',
    'query_only',
  ]
  return Object.fromEntries(names.map((name) => [name, database.pragma(name, { simple: true })]))
}

/** Changes bytes of a file that nobody has open. */
function damage(file: string, position: number, bytes: Buffer): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, position)
  closeSync(descriptor)
}

test('a new database has every setting stated', () => {
  const file = place.pathOf('tasks.db')
  const common = {
    journal_mode: 'wal',
    busy_timeout: 100,
    temp_store: 2,
    locking_mode: 'normal',
    mmap_size: 0,
    page_size: 8192,
    auto_vacuum: 2,
  }
  const written = { ...common, wal_autocheckpoint: 0, foreign_keys: 1, cache_size: -8_192, query_only: 0 }
  expect(settings(openWriterAt(file))).toEqual({ ...written, synchronous: 1 })
  expect(settings(openWriterAt(file, 'power'))).toEqual({ ...written, synchronous: 2 })
  expect(settings(place.keep(openReader(file)))).toMatchObject({
    ...common,
    cache_size: -8_192,
    query_only: 1,
  })
})

test('the id and the time of making are kept', () => {
  const file = place.pathOf('tasks.db')
  const first = openWriterAt(file)
  const id = readDatabaseId(first)
  const created = first.prepare("SELECT value FROM meta WHERE name = 'created_at'").pluck().get()
  expect(created).toBeTypeOf('number')
  first.close()
  const second = openWriterAt(file)
  expect(readDatabaseId(second)).toBe(id)
  expect(second.prepare("SELECT value FROM meta WHERE name = 'created_at'").pluck().get()).toBe(created)
  expect(readDatabaseId(place.keep(openReader(file)))).toBe(id)
  expect(readDatabaseId(openWriterAt(place.pathOf('other.db')))).not.toBe(id)
  second.exec("DELETE FROM meta WHERE name = 'database_id'")
  thrownBy(() => readDatabaseId(second), 'DATABASE_CORRUPT')
})

test('opening a current database writes nothing', () => {
  const file = makeDatabase()
  const before = statSync(file, { bigint: true }).mtimeNs
  const database = openWriterAt(file)
  expect(statSync(`${file}-wal`).size).toBe(0)
  expect(statSync(file, { bigint: true }).mtimeNs).toBe(before)
  expect(database.prepare('SELECT total_changes()').pluck().get()).toBe(0)
})

test.each([
  ['an empty file', (file: string) => writeFileSync(file, '')],
  [
    'an SQLite file that holds nothing, of other settings',
    (file: string) => {
      const database = new Connection(file)
      database.pragma('page_size = 4096')
      database.exec('VACUUM')
      database.pragma('journal_mode = WAL')
      database.close()
      expect(statSync(file).size).toBe(4096)
    },
  ],
  [
    'a file whose making was cut short',
    (file: string) => {
      const database = new Connection(file)
      database.pragma('page_size = 8192')
      database.pragma('auto_vacuum = INCREMENTAL')
      database.pragma(`application_id = ${databaseMark}`)
      database.close()
    },
  ],
])('%s becomes a database', (_, make) => {
  const file = place.pathOf('tasks.db')
  make(file)
  const database = openWriterAt(file)
  expect(settings(database)).toMatchObject({ page_size: 8192, auto_vacuum: 2, journal_mode: 'wal' })
  expect(readDatabaseId(database)).toMatch(/^[0-9a-z]{8}$/)
})

test('a reader cannot write, and sees what the writer commits', () => {
  const file = place.pathOf('tasks.db')
  const writer = openWriterAt(file)
  const reader = place.keep(openReader(file))
  const read = reader.prepare("SELECT value FROM meta WHERE name = 'probe'").pluck()
  expect(read.get()).toBeUndefined()
  writer.exec("INSERT INTO meta (name, value) VALUES ('probe', 7)")
  expect(read.get()).toBe(7)
  expect(() => reader.exec('DELETE FROM meta')).toThrow(/readonly|attempt to write/)
})

test('a reader refuses a file that is missing or that no engine has opened', () => {
  const missing = place.pathOf('missing.db')
  expect(thrownBy(() => openReader(missing), 'PATH_INVALID').message).toContain('Start an engine on it first')
  expect(existsSync(missing)).toBe(false)
  const empty = place.pathOf('empty.db')
  writeFileSync(empty, '')
  thrownBy(() => openReader(empty), 'PATH_INVALID')
})

test.each([
  ['a text file', (file: string) => writeFileSync(file, 'a line of text\n'.repeat(1_000))],
  ['a short file', (file: string) => writeFileSync(file, 'hello')],
  ['a file of one character', (file: string) => writeFileSync(file, 'x')],
  ['a file with the beginning of a header', (file: string) => writeFileSync(file, 'SQLite format 3\0')],
  ['the database of another program', (file: string) => makeForeign(file, 'CREATE TABLE theirs (a)')],
  [
    'an empty database with a mark of its own',
    (file: string) => makeForeign(file, 'PRAGMA application_id = 7'),
  ],
])('%s is refused as foreign, and not changed', (_, make) => {
  const file = place.pathOf('foreign.db')
  make(file)
  const before = readFileSync(file)
  const error = thrownBy(() => openWriter({ path: file, durability: 'process' }), 'DATABASE_FOREIGN')
  expect(error.message).toContain(file)
  thrownBy(() => openReader(file), 'DATABASE_FOREIGN')
  expect(readFileSync(file).equals(before)).toBe(true)
  expect(existsSync(`${file}-wal`)).toBe(false)
})

function makeForeign(file: string, sql: string): void {
  const database = new Connection(file)
  database.exec(sql)
  database.close()
}

test('a schema page with flipped bytes is DATABASE_CORRUPT', () => {
  const file = makeDatabase()
  // After the header of 100 bytes: the tree of sqlite_schema.
  damage(file, 100, Buffer.alloc(400, 0xff))
  const error = thrownBy(() => openWriter({ path: file, durability: 'process' }), 'DATABASE_CORRUPT')
  expect(error.message).toContain(file)
  thrownBy(() => openReader(file), 'DATABASE_CORRUPT')
})

test('a database that was cut off is DATABASE_CORRUPT', () => {
  const file = makeDatabase()
  truncateSync(file, 8_192)
  thrownBy(() => openWriter({ path: file, durability: 'process' }), 'DATABASE_CORRUPT')
})

test.each([
  ['a directory', () => place.folder, 'is a directory'],
  ['a missing folder', () => place.pathOf('no/tasks.db'), 'mkdir -p'],
  ['a file as folder', () => join(makeDatabase(), 'tasks.db'), 'is not a folder'],
  ['a device', () => '/dev/null', 'is not a regular file'],
  ['memory', () => ':memory:', 'is not the path of a file'],
  ['nothing', () => '', 'is not the path of a file'],
  ['a NUL', () => place.pathOf('a\0b'), 'is not the path of a file'],
  ['a loop of links', makeLoop, 'loop of symbolic links'],
  ['one of two hard links', makeHardLink, 'has 2 hard links'],
])('%s is PATH_INVALID', (_, make, text) => {
  const path = make()
  expect(thrownBy(() => openWriter({ path, durability: 'process' }), 'PATH_INVALID').message).toContain(text)
  expect(thrownBy(() => openReader(path), 'PATH_INVALID').message).toContain(text)
})

function makeLoop(): string {
  symlinkSync('b.db', place.pathOf('a.db'))
  symlinkSync('a.db', place.pathOf('b.db'))
  return place.pathOf('a.db')
}

function makeHardLink(): string {
  const file = makeDatabase()
  linkSync(file, place.pathOf('second.db'))
  return place.pathOf('second.db')
}

test('links lead to the one real path, also before the file exists', () => {
  mkdirSync(place.pathOf('real'))
  symlinkSync('real', place.pathOf('folder'))
  symlinkSync('folder/tasks.db', place.pathOf('link.db'))
  const real = place.pathOf('real/tasks.db')
  const paths = [real, place.pathOf('folder/tasks.db'), place.pathOf('link.db'), relative('.', real)]
  expect(paths.map(locateDatabase)).toEqual(paths.map(() => real))
  openWriterAt(place.pathOf('link.db'))
  expect(existsSync(`${real}-wal`)).toBe(true)
  expect(readlinkSync(place.pathOf('link.db'))).toBe('folder/tasks.db')
  expect(paths.map(locateDatabase)).toEqual(paths.map(() => real))
})

test('a path where nothing can be made is DATABASE_READ_ONLY', () => {
  thrownBy(() => openWriter({ path: '/proc/tasks.db', durability: 'process' }), 'DATABASE_READ_ONLY')
})

test('a file or folder without the right to write is DATABASE_READ_ONLY', async () => {
  const folder = place.pathOf('closed')
  mkdirSync(folder)
  const file = makeDatabase('closed/tasks.db')
  const open = makeDatabase('tasks.db')
  chmodSync(file, 0o444)
  chmodSync(folder, 0o555)
  chmodSync(open, 0o444)
  // Whoever is not root must be able to reach the folder.
  for (const outer of [tmpdir(), place.folder]) chmodSync(outer, 0o755)
  const child = fork(join(import.meta.dirname, '../fixtures/open-unprivileged.ts'), { execArgv: [] })
  const exit = once(child, 'exit')
  child.send([join(folder, 'new.db'), file, open])
  const [answers] = await once(child, 'message')
  await exit
  expect(answers).toEqual([
    { code: 'DATABASE_READ_ONLY', message: expect.stringContaining(`${folder} cannot be written`) },
    { code: 'DATABASE_READ_ONLY', message: expect.stringContaining(`${folder} cannot be written`) },
    { code: 'DATABASE_READ_ONLY', message: expect.stringContaining('cannot be written by this user') },
  ])
  chmodSync(folder, 0o755)
})

test('network file systems are known by their numbers, local ones pass', () => {
  const refused = { NFS: 0x6969, SMB2: 0xfe534d42, CIFS: 0xff534d42, Ceph: 0x00c36400 }
  for (const [name, type] of Object.entries(refused)) {
    expect(networkFileSystem(type)).toBe(name)
    // Where the number is read as a signed one.
    expect(networkFileSystem(type | 0)).toBe(name)
  }
  const allowed = { ext4: 0xef53, xfs: 0x58465342, btrfs: 0x9123683e, tmpfs: 0x01021994, plan9: 0x01021997 }
  const containers = { overlay: 0x794c7630, fuse: 0x65735546 }
  for (const type of Object.values({ ...allowed, ...containers }))
    expect(networkFileSystem(type)).toBeUndefined()
})
