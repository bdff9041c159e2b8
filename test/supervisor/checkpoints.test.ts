/**
 * Goal: checkpoints that fail are told, whoever runs them. Method: the real thread, over a WAL that is taken away from under
 * it, and a connection of the writer that can be told to fail.
 */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { type Database, openWriter } from '../../src/store/open.ts'
import { Checkpoints } from '../../src/supervisor/checkpoints.ts'
import { usePlace } from '../store/folder.ts'

const place = usePlace()
let checkpoints: Checkpoints | undefined

afterEach(async () => {
  await checkpoints?.stop(10_000)
})

test('a checkpoint that fails is told once until one succeeds, be it of the thread or of the writer', async () => {
  const database = place.keep(openWriter({ path: place.pathOf('tasks.db'), durability: 'process' }))
  database.exec('CREATE TABLE filling (bytes BLOB) STRICT')
  let writes: 'checkpoints' | 'finds it busy' | 'fails' = 'checkpoints'
  const prepare = (sql: string) => {
    if (writes === 'fails') throw Object.assign(new Error('injected'), { code: 'SQLITE_IOERR' })
    if (writes === 'finds it busy') return { get: () => ({ busy: 1, log: -1, checkpointed: -1 }) }
    return database.prepare(sql)
  }
  const told: string[] = []
  // The boundary: nothing else of the connection is asked for.
  const writer = { name: database.name, prepare } as unknown as Database
  checkpoints = new Checkpoints(
    writer,
    systemClock,
    (event) => told.push('error' in event ? `${event.kind} ${event.error.code}` : event.kind),
    () => {},
  )
  const wal = `${place.pathOf('tasks.db')}-wal`
  const fill = () => database.prepare('INSERT INTO filling VALUES (zeroblob(100000))').run()
  await checkpoints.moveAll()
  expect(told).toEqual([])
  fill()
  const whole = readFileSync(wal)
  truncateSync(wal, 0)
  writes = 'finds it busy'
  for (let times = 0; times < 3; times++) await checkpoints.moveAll()
  const failure = 'checkpoint-failed DATABASE_FAILED'
  expect(told).toEqual([failure])
  writeFileSync(wal, whole)
  writes = 'checkpoints'
  await checkpoints.moveAll()
  expect(told).toEqual([failure])
  fill()
  writes = 'fails'
  await checkpoints.moveAll()
  expect(told).toEqual([failure, failure])
})
