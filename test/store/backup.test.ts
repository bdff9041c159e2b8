/**
 * Goal: a copy is all of one instant, or it is not there. Method: on files, beside a writer; the ends of a process and of a
 * disk in processes of their own.
 */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { backUp } from '../../src/store/backup.ts'
import { ownMaker } from '../../src/store/backup-leavings.ts'
import { checkpointPassive, readWalBytes } from '../../src/store/checkpoint.ts'
import { type Database, openReader, openWriter } from '../../src/store/open.ts'
import { rejectionOf } from '../engine/open-engine.ts'
import { usePlace } from './folder.ts'

const place = usePlace()
const program = join(import.meta.dirname, '../fixtures/store/backup-program.ts')

function makeWriter(): Database {
  const writer = place.keep(openWriter({ path: place.pathOf('tasks.db'), durability: 'process' }))
  writer.exec('CREATE TABLE filling (bytes BLOB) STRICT')
  fill(writer, 2_000)
  return writer
}

function fill(writer: Database, pages: number): void {
  const insert = writer.prepare('INSERT INTO filling VALUES (randomblob(8000))')
  writer.transaction(() => {
    for (let page = 0; page < pages; page++) insert.run()
  })()
}

const rowsOf = (database: Database) =>
  database.prepare<[], number>('SELECT count(*) FROM filling').pluck().get()
const ask = (target: string, files = false) => ({ target: place.pathOf(target), files })
const left = () =>
  readdirSync(place.folder).filter((name) => name.includes('partial') || name.startsWith('copy'))

test('a copy holds what was committed before it began, and nothing of what was committed meanwhile', async () => {
  const writer = makeWriter()
  const fractions: number[] = []
  const report = await backUp(place.pathOf('tasks.db'), ask('copy.db'), {
    onProgress(fraction) {
      fractions.push(fraction)
      fill(writer, 10)
      checkpointPassive(writer)
    },
  })
  expect(report).toMatchObject({ bytes: statSync(report.path).size, files: 0, filesBytes: 0 })
  expect(fractions.length).toBeGreaterThan(4)
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
  const copy = place.keep(openReader(report.path))
  expect(rowsOf(copy)).toBe(2_000)
  expect(copy.pragma('integrity_check', { simple: true })).toBe('ok')
  expect(copy.pragma('auto_vacuum', { simple: true })).toBe(2)
  expect(rowsOf(writer)).toBe(2_000 + 10 * fractions.length)
  expect(readdirSync(place.folder).filter((name) => name.includes('partial'))).toEqual([])
})

test('the WAL grows by what is written meanwhile, and is cut afterwards', async () => {
  const writer = makeWriter()
  const path = place.pathOf('tasks.db')
  const walBytes = () => statSync(`${path}-wal`).size
  await backUp(path, ask('copy.db'), {
    onProgress() {
      fill(writer, 1_500)
      checkpointPassive(writer)
    },
  })
  expect(walBytes()).toBeGreaterThan(64_000_000)
  checkpointPassive(writer)
  fill(writer, 1)
  expect(walBytes()).toBeLessThanOrEqual(64_000_000)
  expect(readWalBytes(writer)).toBeLessThan(1_000_000)
})

test('a WAL that grows beyond its bound ends the backup, and nothing is left of it', async () => {
  const writer = makeWriter()
  const maxWalBytes = statSync(`${place.pathOf('tasks.db')}-wal`).size + 1_000_000
  const error = await rejectionOf(
    backUp(place.pathOf('tasks.db'), ask('copy.db'), { maxWalBytes, onProgress: () => fill(writer, 100) }),
    'BACKUP_FAILED',
  )
  expect(error.message).toContain('has grown to')
  expect(left()).toEqual([])
})

test('one that is given up leaves nothing', async () => {
  makeWriter()
  let slices = 0
  const reason = new Error('given up')
  const endedBy = () => (++slices > 3 ? reason : undefined)
  await expect(backUp(place.pathOf('tasks.db'), ask('copy.db'), { endedBy })).rejects.toThrow('given up')
  expect([slices, left()]).toEqual([4, []])
})

test.each([
  ['copy.db', () => writeFileSync(place.pathOf('copy.db'), 'mine'), 'BACKUP_TARGET_EXISTS'],
  ['copy.db', () => symlinkSync('nowhere', place.pathOf('copy.db')), 'BACKUP_TARGET_EXISTS'],
  ['copy.db', () => mkdirSync(place.pathOf('copy.db')), 'BACKUP_TARGET_EXISTS'],
  ['copy.db', () => writeFileSync(place.pathOf('copy.db-wal'), 'left behind'), 'BACKUP_TARGET_EXISTS'],
  ['copy.db', () => mkdirSync(place.pathOf('copy.db-files')), 'BACKUP_TARGET_EXISTS'],
  ['none/copy.db', () => {}, 'PATH_INVALID'],
  ['file/copy.db', () => writeFileSync(place.pathOf('file'), ''), 'PATH_INVALID'],
  ['tasks.db', () => {}, 'PATH_INVALID'],
  ['link.db/../tasks.db-journal', () => mkdirSync(place.pathOf('link.db')), 'PATH_INVALID'],
  ['tasks.db.lock', () => {}, 'PATH_INVALID'],
  ['tasks.db-files/copy.db', () => mkdirSync(place.pathOf('tasks.db-files')), 'PATH_INVALID'],
  ['a\0b', () => {}, 'PATH_INVALID'],
] as const)('%j is refused where it cannot be written (%#)', async (target, prepare, code) => {
  makeWriter()
  prepare()
  const before = readdirSync(place.folder)
  await rejectionOf(backUp(place.pathOf('tasks.db'), ask(target, true)), code)
  expect(readdirSync(place.folder)).toEqual(before)
})

test('a name that is taken meanwhile is not overwritten', async () => {
  makeWriter()
  const onProgress = () => writeFileSync(place.pathOf('copy.db'), 'mine')
  await rejectionOf(backUp(place.pathOf('tasks.db'), ask('copy.db'), { onProgress }), 'BACKUP_TARGET_EXISTS')
  expect([left(), statSync(place.pathOf('copy.db')).size]).toEqual([['copy.db'], 4])
})

test('the death of the process leaves nothing under the final name, and the database whole', async () => {
  const writer = makeWriter()
  const run = spawnSync(process.execPath, [program, place.pathOf('tasks.db'), place.pathOf('copy.db'), 'die'])
  expect([run.signal, existsSync(place.pathOf('copy.db'))]).toEqual(['SIGKILL', false])
  expect(left()).not.toEqual([])
  for (const name of left()) expect(name).toMatch(/^copy\.db\.partial-\w{8}-\d+-\w{8}(-journal)?$/)
  fill(writer, 1)
  expect(writer.pragma('integrity_check', { simple: true })).toBe('ok')
  // What was left beside it is removed by the next backup to the same name.
  const names = () => readdirSync(place.folder).filter((name) => name.includes('partial'))
  await backUp(place.pathOf('tasks.db'), ask('other.db'))
  expect(names()).not.toEqual([])
  await backUp(place.pathOf('tasks.db'), ask('copy.db'))
  expect(names()).toEqual([])
})

/** A process that has ended. */
const endedPid = () => spawnSync('true').pid

function makeJobFiles(folder: string): void {
  mkdirSync(place.pathOf(folder))
  writeFileSync(place.pathOf(`${folder}/log`), 'said')
}

test('a name that is taken before the last move leaves no files either, and is free again without it', async () => {
  makeWriter()
  makeJobFiles('tasks.db-files')
  const onProgress = () => writeFileSync(place.pathOf('copy.db'), 'mine')
  const refused = backUp(place.pathOf('tasks.db'), ask('copy.db', true), { onProgress })
  await rejectionOf(refused, 'BACKUP_TARGET_EXISTS')
  expect(left()).toEqual(['copy.db'])
  rmSync(place.pathOf('copy.db'))
  expect(await backUp(place.pathOf('tasks.db'), ask('copy.db', true))).toMatchObject({ files: 1 })
  expect(readdirSync(place.pathOf('copy.db-files'))).toEqual(['log'])
})

test('files whose backup died before its last move make room for the next, and no others do', async () => {
  makeWriter()
  makeJobFiles('copy.db-files')
  const note = place.pathOf('copy.db-files/unfinished-backup')
  const host = ownMaker().slice(0, 8)
  for (const maker of ['', 'x', ownMaker(), `${host}-${process.ppid}`, `00000000-${endedPid()}`]) {
    writeFileSync(note, maker)
    await rejectionOf(backUp(place.pathOf('tasks.db'), ask('copy.db', true)), 'BACKUP_TARGET_EXISTS')
  }
  writeFileSync(note, `${host}-${endedPid()}`)
  await backUp(place.pathOf('tasks.db'), ask('copy.db', true))
  expect(existsSync(place.pathOf('copy.db-files'))).toBe(false)
})

test('what was left by a process of the same number is older than this one', async () => {
  makeWriter()
  const partial = (id: string) => place.pathOf(`copy.db.partial-${ownMaker()}-${id}`)
  for (const id of ['0000000a', '0000000b', 'mine']) writeFileSync(partial(id), '')
  utimesSync(partial('0000000a'), 1, 1)
  utimesSync(partial('mine'), 1, 1)
  await backUp(place.pathOf('tasks.db'), ask('copy.db'))
  expect([existsSync(partial('0000000a')), existsSync(partial('0000000b'))]).toEqual([false, true])
  expect(existsSync(partial('mine'))).toBe(true)
})

/** Runs the program with a small disk of its own at the folder `disk`. */
function runOnSmallDisk(unshare: string, sizeMb: number, commandLine: readonly string[]) {
  const script = `mount -t tmpfs -o size=${sizeMb}m tmpfs "$0" && "$@"; ls -A "$0"`
  return spawnSync('unshare', [unshare, 'bash', '-c', script, place.pathOf('disk'), ...commandLine], {
    encoding: 'utf8',
  })
}
const unshare = ['-m', '-Urm'].find((option) => spawnSync('unshare', [option, 'true']).status === 0)

test.skipIf(unshare === undefined).each([
  ['from the start', 4, '', []],
  ['halfway', 24, 'fill', ['ballast']],
] as const)('a disk that is full %s ends it, and nothing is left of it', (_when, sizeMb, halfway, kept) => {
  makeWriter().close()
  mkdirSync(place.pathOf('disk'))
  const target = place.pathOf('disk/copy.db')
  const run = runOnSmallDisk(unshare ?? '', sizeMb, [
    process.execPath,
    program,
    place.pathOf('tasks.db'),
    target,
    halfway,
  ])
  const [printed = '', ...names] = run.stdout.trim().split('\n')
  expect(JSON.parse(printed)).toMatchObject({ code: 'DISK_FULL', details: { path: target } })
  expect(printed).toContain('Nothing is left of it')
  expect(names).toEqual(kept)
})
