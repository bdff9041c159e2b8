/**
 * Goal: an index run that is killed at any moment loses nothing and repeats nothing. Method: `semantica index` on real
 * sources as a process of its own, killed at random moments; what was committed must still be there
 * after the next kill, and the last run must not parse it again. In the end the index must be that of a run that nobody disturbed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, globSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { onceTrue } from '../fixtures/crash/once-true.ts'
import { isFull, randomFrom, seed } from './effort.ts'

const root = resolve(import.meta.dirname, '../..')
const command = join(root, 'src/cli/semantica.ts')
const kills = isFull ? 20 : 2
const packages = isFull ? ['*', '@*/*'] : ['zod']
const minFiles = isFull ? 2_000 : 300

let folder = ''
let tree = ''
let files = 0
const children = new Set<ChildProcess>()

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'index-kill-'))
  tree = join(folder, 'tree')
  const sources = globSync(
    packages.map((name) => `node_modules/${name}/**/*.{ts,mts,cts,js,mjs,cjs,py}`),
    { cwd: root },
  )
  for (const source of new Set(sources)) {
    const from = join(root, source)
    if (source.includes('.cache') || !statSync(from).isFile() || statSync(from).size > 300_000) continue
    const to = join(tree, source.replaceAll('node_modules/', ''))
    mkdirSync(dirname(to), { recursive: true })
    cpSync(from, to, { preserveTimestamps: true })
    files++
  }
}, 120_000)

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

interface Row {
  readonly path: string
}

function start(state: string): ChildProcess {
  const child = spawn(process.execPath, [command, 'index', tree, '--state', state, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  return child
}

/** Runs to the end; gives what `--json` printed. */
async function finish(state: string): Promise<Record<string, number>> {
  const child = start(state)
  const [printed] = await Promise.all([child.stdout === null ? '' : text(child.stdout), once(child, 'close')])
  children.delete(child)
  return JSON.parse(printed)
}

/** Kills a run once this many files are committed. Resolves when the process is gone. */
async function killAt(state: string, committed: number): Promise<void> {
  const child = start(state)
  const gone = once(child, 'exit')
  await onceTrue(() => rowsOf(state).length >= committed, gone)
  child.kill('SIGKILL')
  await gone
  children.delete(child)
}

function rowsOf(state: string): Row[] {
  return read<Row>(state, 'SELECT path FROM files WHERE hash IS NOT NULL ORDER BY path')
}

function read<Item>(state: string, sql: string): Item[] {
  let database: Database.Database | undefined
  try {
    database = new Database(join(state, 'index.db'), { readonly: true, fileMustExist: true, timeout: 1_000 })
    return database.prepare<[], Item>(sql).all()
  } catch {
    // Not made yet.
    return []
  } finally {
    database?.close()
  }
}

/** What an index says, without row numbers, times and authors. */
function contentOf(state: string): unknown[] {
  const files = read(
    state,
    `SELECT path, size, hash, language, symbols, packed
     FROM files LEFT JOIN details ON file_id = id ORDER BY path`,
  )
  const names = read(
    state,
    `SELECT path, definitions.id & 0xFFFFFFFF AS place, name
     FROM files JOIN definitions ON definitions.id >> 32 = files.id ORDER BY path, place`,
  )
  return [...files, ...names]
}

test(`killed ${kills} times, an index ends as if nobody had`, async () => {
  const random = randomFrom(seed)
  const undisturbed = join(folder, 'undisturbed')
  const killed = join(folder, 'killed')
  const whole = await finish(undisturbed)
  expect(whole.indexed, `of ${files} files`).toBeGreaterThanOrEqual(minFiles)

  let before: Row[] = []
  for (let kill = 0; kill < kills; kill++) {
    // The moments are spread over the whole work, each at random within its part of it.
    await killAt(killed, Math.ceil(((kill + random()) / kills) * (whole.indexed ?? 0)))
    const after = rowsOf(killed)
    const paths = new Set(after.map((row) => row.path))
    expect(before.filter((row) => !paths.has(row.path))).toEqual([])
    before = after
  }
  const rest = await finish(killed)
  expect(rest).toMatchObject({ files: whole.files, failed: 0, symbols: whole.symbols })
  // What was committed when the last one was killed is not parsed again.
  expect(rest.indexed).toBeLessThanOrEqual((whole.indexed ?? 0) - before.length)
  expect(contentOf(killed)).toEqual(contentOf(undisturbed))
  expect(await finish(killed)).toMatchObject({ indexed: 0, failed: 0 })
})
