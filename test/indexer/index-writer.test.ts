import { utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { type IndexMessage, packDefinitions } from '../../src/indexer/index-messages.ts'
import { readSnapshot } from '../../src/indexer/index-snapshot.ts'
import indexWriter from '../../src/indexer/index-writer.ts'
import { searchDefinitions } from '../../src/indexer/search.ts'
import { DirectIndexer, TemporaryTree } from './direct-indexer.ts'

function parsed(
  path: string,
  names: readonly string[],
  author: readonly [number, number, number],
): IndexMessage {
  const [run, generation, attempt] = author
  return {
    kind: 'file-parsed',
    path,
    author: { run, generation, attempt },
    stamp: { size: 1, mtimeMs: 1 },
    checkedAtMs: 10,
    hash: names.join(),
    language: 'go',
    symbols: names.length,
    ...packDefinitions(
      names.map((name, index) => ({ name, kind: 'function', line: index + 1, container: '', text: name })),
    ),
  }
}

const names = (indexer: DirectIndexer) =>
  (searchDefinitions(indexer.indexPath, '', 100) ?? []).map(({ name }) => name).sort()

test('rows are replaced whole, and those of an older attempt are dropped', async () => {
  using tree = new TemporaryTree()
  await using indexer = new DirectIndexer(tree.path)
  const order: readonly (readonly [number, number, number])[] = [
    [5, 2, 2],
    [5, 2, 1],
    [5, 1, 9],
    [4, 9, 9],
    [5, 2, 2],
    [5, 2, 3],
    [5, 3, 1],
    [6, 1, 1],
  ]
  const applied: unknown[] = []
  for (const author of order) {
    const [reply] = await indexer.tell(parsed('a.go', [`by${author.join('_')}`], author))
    applied.push(reply)
  }
  expect(applied).toEqual(
    [true, false, false, false, true, true, true, true].map((each) => ({ kind: 'committed', applied: each })),
  )
  expect(names(indexer)).toEqual(['by6_1_1'])
})

test('a message that cannot be applied is refused alone', async () => {
  using tree = new TemporaryTree()
  await using indexer = new DirectIndexer(tree.path)
  const broken: IndexMessage = {
    ...parsed('b.go', ['three'], [1, 1, 1]),
    kind: 'file-parsed',
    names: 'not json',
  } as IndexMessage
  const replies = await indexer.tell(
    parsed('a.go', ['one'], [1, 1, 1]),
    broken,
    parsed('c.go', ['two'], [1, 1, 1]),
  )
  expect(replies.map((reply) => reply instanceof Error)).toEqual([false, true, false])
  expect(names(indexer)).toEqual(['one', 'two'])
  expect(readSnapshot(indexer.indexPath).files.has('b.go')).toBe(false)
})

test('a run is open from its beginning to its end, and numbers grow', async () => {
  using tree = new TemporaryTree()
  await using indexer = new DirectIndexer(tree.path)
  expect(readSnapshot(indexer.indexPath).isRunOpen).toBe(false)
  const [first] = await indexer.tell({ kind: 'begin-run', root: '/tree', place: '.semantica' })
  expect(readSnapshot(indexer.indexPath).isRunOpen).toBe(true)
  const [second] = await indexer.tell({ kind: 'begin-run', root: '/tree', place: '.semantica' })
  expect(Number(Reflect.get(Object(second), 'run'))).toBeGreaterThan(
    Number(Reflect.get(Object(first), 'run')),
  )
  await indexer.tell({ kind: 'end-run', summary: '{}' })
  expect(readSnapshot(indexer.indexPath).isRunOpen).toBe(false)
})

test('names are found during a first run, which sorts them at its end, once', async () => {
  using tree = new TemporaryTree()
  await using indexer = new DirectIndexer(tree.path)
  const isSorted = () => {
    const database = new Database(indexer.indexPath, { readonly: true })
    const plan = database
      .prepare("EXPLAIN QUERY PLAN SELECT 1 FROM definitions WHERE name = 'x' COLLATE NOCASE")
      .all()
    database.close()
    return JSON.stringify(plan).includes('definitions_by_name')
  }
  await indexer.tell({ kind: 'begin-run', root: '/tree', place: '.semantica' })
  await indexer.tell(parsed('a.go', ['one'], [1, 1, 1]))
  expect([names(indexer), isSorted()]).toEqual([['one'], false])
  // The run was killed: the next one is not the first, and has sorted names at its end all the same.
  await indexer.tell({ kind: 'begin-run', root: '/tree', place: '.semantica' })
  await indexer.tell({ kind: 'end-run', summary: '{}' })
  expect([names(indexer), isSorted()]).toEqual([['one'], true])
  await indexer.tell({ kind: 'begin-run', root: '/tree', place: '.semantica' })
  expect([names(indexer), isSorted()]).toEqual([['one'], true])
})

test('files are read once, and again only when they change', async () => {
  using tree = new TemporaryTree().write({
    'a.ts': 'function a() {}',
    'binary.ts': new Uint8Array([0, 1]),
    'latin.py': new Uint8Array([0x61, 0xe9]),
    'other.txt': 'x',
    'large.go': `package x // ${'x'.repeat(2_000)}`,
  })
  const long = new Date(Date.now() - 60_000)
  for (const file of ['a.ts', 'binary.ts', 'latin.py']) utimesSync(join(tree.path, file), long, long)
  await using indexer = new DirectIndexer(tree.path)
  const first = await indexer.index(1_000)
  expect(first.outcomes.map(({ kind, path }) => `${kind} ${path}`).sort()).toEqual([
    'indexed a.ts',
    'skipped binary.ts',
    'skipped latin.py',
  ])
  expect(Object.fromEntries(first.plan.skipped)).toEqual({ 'no-grammar': 1, 'too-large': 1 })

  const second = await indexer.index(1_000)
  expect(second.outcomes).toEqual([])
  expect(second.plan.unchanged).toEqual(['a.ts'])
  expect(Object.fromEntries(second.plan.skipped)).toEqual({
    'no-grammar': 1,
    'too-large': 1,
    binary: 1,
    'not-utf8': 1,
  })

  // A new time stamp over the same content costs a read, not a parse.
  utimesSync(join(tree.path, 'a.ts'), long, new Date(long.getTime() + 10_000))
  expect((await indexer.index(1_000)).outcomes).toMatchObject([{ kind: 'unchanged', path: 'a.ts' }])
  expect((await indexer.index(1_000)).outcomes).toEqual([])

  // Written in the same instant as it was read: not trusted, although size and time are the same.
  writeFileSync(join(tree.path, 'a.ts'), 'function b() {}')
  expect((await indexer.index(1_000)).outcomes).toMatchObject([{ kind: 'indexed', path: 'a.ts' }])
  expect((await indexer.index(1_000)).outcomes).toMatchObject([{ kind: 'unchanged', path: 'a.ts' }])
  expect(names(indexer)).toEqual(['b'])
})

test('an attempt that follows one whose rows were committed does not parse again', async () => {
  using tree = new TemporaryTree().write({ 'a.ts': 'function a() {}' })
  await using indexer = new DirectIndexer(tree.path)
  expect(await indexer.runJob({ path: 'a.ts' }, 1)).toMatchObject({ kind: 'indexed' })
  expect(await indexer.runJob({ path: 'a.ts' }, 2)).toMatchObject({ kind: 'unchanged' })
  expect(indexer.messages.map(({ kind }) => kind)).toEqual(['file-parsed', 'find-hash', 'file-unchanged'])
})

test('deleted files leave the index, whether the plan or the handler sees it', async () => {
  using tree = new TemporaryTree().write({ 'a.ts': 'function a() {}', 'b.ts': 'function b() {}' })
  await using indexer = new DirectIndexer(tree.path)
  await indexer.index()
  expect(await indexer.runJob({ path: 'gone.ts' })).toEqual({ kind: 'vanished', path: 'gone.ts' })
  const { rmSync } = await import('node:fs')
  rmSync(join(tree.path, 'a.ts'))
  expect((await indexer.index()).plan.removed).toEqual(['a.ts'])
  expect(names(indexer)).toEqual(['b'])
  rmSync(join(tree.path, 'b.ts'))
  await indexer.runJob({ path: 'b.ts', run: Number.MAX_SAFE_INTEGER })
  expect(names(indexer)).toEqual([])
})

test.each([
  ['DATABASE_CORRUPT', 'not a database at all, only text that is long enough to be one'.repeat(20)],
  ['DATABASE_FOREIGN', 'foreign'],
  ['DATABASE_NEWER', 'newer'],
] as const)('an index that is %s is refused and left as it is', async (code, content) => {
  using tree = new TemporaryTree()
  const path = join(tree.path, 'index.db')
  if (code === 'DATABASE_CORRUPT') writeFileSync(path, content)
  if (code === 'DATABASE_FOREIGN') new Database(path).exec('CREATE TABLE theirs (x)').close()
  if (code === 'DATABASE_NEWER') {
    await indexWriter.definition.stop?.(await indexWriter.definition.start({ path }))
    const newer = new Database(path)
    newer.pragma('user_version = 99')
    newer.close()
  }
  expect(() => indexWriter.definition.start({ path })).toThrow(expect.objectContaining({ code }))
  expect(() => readSnapshot(path)).toThrow(expect.objectContaining({ code }))
})
