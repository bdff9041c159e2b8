import Connection from 'better-sqlite3'
import { expect, test } from 'vitest'
import { engineError } from '../../src/errors.ts'
import { fromSqliteError } from '../../src/store/database-errors.ts'
import { usePlace } from './folder.ts'

const place = usePlace()

function withCode(code: string): Error {
  return new Connection.SqliteError(`text of ${code}`, code)
}

test.each([
  ['SQLITE_FULL', 'DISK_FULL'],
  ['SQLITE_IOERR_SHMSIZE', 'DISK_FULL'],
  ['ENOSPC', 'DISK_FULL'],
  ['SQLITE_READONLY', 'DATABASE_READ_ONLY'],
  ['SQLITE_READONLY_DBMOVED', 'DATABASE_READ_ONLY'],
  ['SQLITE_CANTOPEN', 'DATABASE_READ_ONLY'],
  ['EACCES', 'DATABASE_READ_ONLY'],
  ['EROFS', 'DATABASE_READ_ONLY'],
  ['SQLITE_CORRUPT', 'DATABASE_CORRUPT'],
  ['SQLITE_CORRUPT_INDEX', 'DATABASE_CORRUPT'],
  ['SQLITE_NOTADB', 'DATABASE_CORRUPT'],
  ['SQLITE_BUSY', 'DATABASE_LOCKED'],
  ['SQLITE_BUSY_SNAPSHOT', 'DATABASE_LOCKED'],
  ['SQLITE_IOERR_WRITE', 'DATABASE_FAILED'],
  ['SQLITE_PROTOCOL', 'DATABASE_FAILED'],
])('%s becomes %s, with the path, the cause and what SQLite said', (code, expected) => {
  const cause = withCode(code)
  const error = fromSqliteError(cause, '/data/tasks.db')
  expect(error).toMatchObject({
    code: expected,
    cause,
    details: { path: '/data/tasks.db', sqliteCode: code },
  })
  expect(error.message).toContain('/data/tasks.db')
  expect(error.message).toContain(`${code}: text of ${code}`)
})

test('what is not about the file comes back as it is', () => {
  const others = [
    withCode('SQLITE_CONSTRAINT_CHECK'),
    withCode('SQLITE_ERROR'),
    new TypeError('no code'),
    Object.assign(new Error('full of itself'), { code: 'SQLITE_FULLNESS' }),
    engineError('DATABASE_NEWER', { found: 'a', action: 'b' }),
  ]
  for (const error of others) expect(fromSqliteError(error, '/data/tasks.db')).toBe(error)
  expect(fromSqliteError('text', '/data/tasks.db')).toMatchObject({
    message: 'Thrown: "text"',
    cause: 'text',
  })
})

test('the real error of a database that may not grow is DISK_FULL', () => {
  const database = place.keep(new Connection(place.pathOf('full.db')))
  database.exec('CREATE TABLE filling (bytes BLOB) STRICT')
  database.pragma('max_page_count = 3')
  const fill = () => database.exec('INSERT INTO filling VALUES (zeroblob(100000))')
  expect(fill).toThrow()
  try {
    fill()
  } catch (error) {
    expect(fromSqliteError(error, database.name)).toMatchObject({ code: 'DISK_FULL', retryable: true })
  }
})
