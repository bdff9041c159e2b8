import { chmodSync, existsSync, readFileSync, renameSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { type IndexOptions, indexDirectory } from '../../src/indexer/index-directory.ts'
import { hasOpenRun } from '../../src/indexer/index-snapshot.ts'
import { searchDefinitions } from '../../src/indexer/search.ts'
import { TemporaryTree } from './direct-indexer.ts'

let tree: TemporaryTree | undefined
afterEach(() => tree?.[Symbol.dispose]())

/** Files that are old enough to be trusted by their time stamps. */
function plant(files: Readonly<Record<string, string | Uint8Array>>): string {
  tree = new TemporaryTree().write(files)
  const past = new Date(Date.now() - 60_000)
  for (const path of Object.keys(files)) utimesSync(join(tree.path, path), past, past)
  return tree.path
}

const index = (directory: string, options: Partial<IndexOptions> = {}) =>
  indexDirectory({ directory, threads: 2, logLevel: 'silent', ...options })

const names = (directory: string) =>
  (searchDefinitions(join(directory, '.semantica/index.db'), '', 1_000) ?? []).map(({ name }) => name).sort()

test('a run beside an engine leaves the port of its metrics alone', async () => {
  const directory = plant({ 'a.ts': 'export class A {}' })
  // An engine that tried to serve there would not start.
  vi.stubEnv('SEMANTICA_METRICS_PORT', '9464')
  vi.stubEnv('SEMANTICA_METRICS_HOST', 'nowhere.invalid')
  try {
    expect(await index(directory)).toMatchObject({ indexed: 1, failed: 0 })
  } finally {
    vi.unstubAllEnvs()
  }
})

test('a run indexes, the next one finds nothing to do and starts no engine, and changes are followed', async () => {
  const directory = plant({
    'a.ts': 'export class A { run() {} }',
    'b.py': 'def b(): pass',
    'c.go': 'package c\nfunc C() {}',
    'picture.png': new Uint8Array([0, 1, 2]),
    'binary.js': new Uint8Array([0, 1, 2]),
  })
  const seen: number[] = []
  const first = await index(directory, { onProgress: ({ filesDone }) => seen.push(filesDone) })
  expect(first).toMatchObject({
    files: 5,
    indexed: 3,
    skipped: 2,
    failed: 0,
    removed: 0,
    symbols: 4,
    unchanged: 0,
  })
  expect(first).toMatchObject({ skippedBy: { binary: 1, 'no-grammar': 1 }, failures: [], interrupted: false })
  expect(seen).toEqual([0, 1, 2, 3, 4])
  expect(names(directory)).toEqual(['A', 'C', 'b', 'run'])
  expect(readFileSync(join(directory, '.semantica/.gitignore'), 'utf8')).toBe('*\n')

  // Without its jobs' database the engine would make a new one: that there is none shows that it was not started.
  rmSync(join(directory, '.semantica/tasks.db'))
  const second = await index(directory)
  expect(second).toMatchObject({ files: 5, indexed: 0, unchanged: 3, skipped: 2, removed: 0, symbols: 4 })
  expect(second.bytes).toBe(first.bytes)
  expect(existsSync(join(directory, '.semantica/tasks.db'))).toBe(false)

  rmSync(join(directory, 'a.ts'))
  tree?.write({ 'b.py': 'def changed(): pass', 'd.ts': 'function d() {}' })
  expect(await index(directory)).toMatchObject({ files: 5, indexed: 2, unchanged: 1, removed: 1, symbols: 3 })
  expect(names(directory)).toEqual(['C', 'changed', 'd'])
})

test('a stopped run is finished by the next one', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, number) => [`f${number}.ts`, `function f${number}() {}`]),
  )
  const directory = plant(files)
  const controller = new AbortController()
  const stopped = await index(directory, {
    signal: controller.signal,
    onProgress: ({ filesDone }) => filesDone >= 10 && controller.abort(),
  })
  expect(stopped.interrupted).toBe(true)
  expect(stopped.files).toBe(1_000)
  expect(stopped.indexed).toBeLessThan(1_000)
  // Also what was committed in the last moment, and whose job could not say so any more.
  expect(stopped.indexed).toBe(names(directory).length)
  expect(hasOpenRun(join(directory, '.semantica/index.db'))).toBe(true)

  const next = await index(directory)
  expect(next).toMatchObject({ files: 1_000, symbols: 1_000, failed: 0, interrupted: false })
  expect(next.indexed + next.unchanged).toBe(1_000)
  expect(names(directory)).toHaveLength(1_000)
  expect(hasOpenRun(join(directory, '.semantica/index.db'))).toBe(false)
  expect(await index(directory)).toMatchObject({ indexed: 0, unchanged: 1_000 })
})

test.skipIf(process.getuid?.() === 0)(
  'an unreadable file is reported, the others are indexed, and it is tried again',
  async () => {
    const directory = plant({ 'a.ts': 'function a() {}', 'secret.ts': 'function s() {}' })
    chmodSync(join(directory, 'secret.ts'), 0)
    const first = await index(directory)
    expect(first).toMatchObject({ files: 2, indexed: 1, failed: 1 })
    expect(first.failures).toEqual([{ path: 'secret.ts', reason: expect.stringContaining('EACCES') }])
    chmodSync(join(directory, 'secret.ts'), 0o644)
    expect(await index(directory)).toMatchObject({ files: 2, indexed: 1, unchanged: 1, failed: 0 })
  },
)

test('an index that was thrown away is built anew, and a moved directory is the same to its index', async () => {
  const directory = plant({ 'sub/a.ts': 'function a() {}', 'sub/b.ts': 'function b() {}' })
  const before = join(directory, 'sub')
  await index(before)
  for (const ending of ['', '-wal', '-shm'])
    rmSync(join(before, `.semantica/index.db${ending}`), { force: true })
  expect(await index(before)).toMatchObject({ indexed: 2 })
  const after = join(directory, 'moved')
  renameSync(before, after)
  expect(await index(after)).toMatchObject({ indexed: 0, unchanged: 2 })
  tree?.write({ 'moved/a.ts': 'function again() {}' })
  expect(await index(after)).toMatchObject({ indexed: 1, unchanged: 1 })
  expect(names(after)).toEqual(['again', 'b'])
})

test('a state folder of its own choice inside the directory is left out', async () => {
  const directory = plant({ 'a.ts': 'function a() {}' })
  const stateFolder = join(directory, 'state')
  expect(await index(directory, { stateFolder })).toMatchObject({ files: 1, indexed: 1 })
  expect(existsSync(join(stateFolder, 'index.db'))).toBe(true)
  expect(existsSync(join(directory, '.semantica'))).toBe(false)
})

test('a signal that fires when all is done interrupts nothing', async () => {
  const directory = plant({ 'a.ts': 'export class A {}' })
  expect(await index(directory)).toMatchObject({ interrupted: false })
  const controller = new AbortController()
  const again = indexDirectory({
    directory,
    signal: controller.signal,
    // Read last by a run that finds nothing to do.
    get overrides() {
      controller.abort()
      return {}
    },
  })
  expect(await again).toMatchObject({ unchanged: 1, interrupted: false })
})

test.each([
  [undefined, 'options is undefined'],
  [{}, 'directory is undefined'],
  [{ directory: 'a\0b' }, 'directory is "a\\u0000b"'],
  [{ directory: '/nowhere', foo: 1 }, 'foo is not an option'],
  [{ directory: '/nowhere', stateFolder: '' }, 'stateFolder is ""'],
  [{ directory: '/nowhere', maxFileBytes: 'x' }, 'maxFileBytes is "x"'],
  [{ directory: '/nowhere', signal: 5 }, 'signal is 5'],
  [{ directory: '/nowhere', onProgress: 5 }, 'onProgress is 5'],
])('%j is refused before anything is made', async (options, message) => {
  // @ts-expect-error what only JavaScript can pass
  await expect(indexDirectory(options)).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining(message),
  })
})
