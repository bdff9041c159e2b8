import { expect, test } from 'vitest'
import { packDefinitions } from '../../src/indexer/index-messages.ts'
import { searchDefinitions } from '../../src/indexer/search.ts'
import { DirectIndexer, TemporaryTree } from './direct-indexer.ts'

test('exact names come first, then those that differ by case, then prefixes', async () => {
  using tree = new TemporaryTree().write({
    'a.ts':
      'function parseAll() {}\nfunction Parse() {}\nfunction parse() {}\nfunction PARSER() {}\nfunction sparse() {}',
  })
  await using indexer = new DirectIndexer(tree.path)
  await indexer.index()
  const hits = searchDefinitions(indexer.indexPath, 'parse', 10) ?? []
  expect(hits.map(({ name }) => name)).toEqual(['parse', 'Parse', 'parseAll', 'PARSER'])
  expect(hits[0]).toEqual({
    path: 'a.ts',
    line: 3,
    name: 'parse',
    kind: 'function',
    container: '',
    text: 'function parse() {}',
  })
  expect(searchDefinitions(indexer.indexPath, 'parse', 2)).toHaveLength(2)
})

test('a container narrows the search, and wildcards mean themselves', async () => {
  using tree = new TemporaryTree().write({
    'a.ts':
      'class A { run() {} }\nclass B { run() {} }\nnamespace N { class A { run() {} } }\nclass x_y { run() {} }',
  })
  await using indexer = new DirectIndexer(tree.path)
  await indexer.index()
  const places = (words: string) =>
    (searchDefinitions(indexer.indexPath, words, 10) ?? []).map(
      ({ container, name }) => `${container}.${name}`,
    )
  expect(places('A.run')).toEqual(['A.run', 'N.A.run'])
  expect(places('N.A.run')).toEqual(['N.A.run'])
  expect(places('_.run')).toEqual([])
  expect(places('%')).toEqual([])
})

test('what is written in any characters is found as it is written', async () => {
  const half = `${'x'.repeat(188)}\u{1F600}`
  using tree = new TemporaryTree().write({
    'a.ts': `const größe = "\u{1F600} \\u0041 \\" '"\nconst n = "${half}"`,
  })
  await using indexer = new DirectIndexer(tree.path)
  await indexer.index()
  const [size] = searchDefinitions(indexer.indexPath, 'größe', 10) ?? []
  expect(size).toMatchObject({ name: 'größe', text: 'const größe = "\u{1F600} \\u0041 \\" \'"' })
  const [cut] = searchDefinitions(indexer.indexPath, 'n', 10) ?? []
  expect(cut?.text.isWellFormed()).toBe(true)
})

test('definitions are told apart by line, whatever the order in which they were found', () => {
  const define = (name: string, line: number) =>
    ({ name, kind: 'function', line, container: '', text: name }) as const
  const { names, details } = packDefinitions([define('b', 2), define('a', 1), define('c', 2)])
  expect(JSON.parse(names)).toEqual(['a', 'b', 'c'])
  expect(JSON.parse(details)[1]).toEqual([1, 2, 2])
})

test('without an index there is no answer', () => {
  using tree = new TemporaryTree()
  expect(searchDefinitions(`${tree.path}/index.db`, 'x', 1)).toBeUndefined()
})
