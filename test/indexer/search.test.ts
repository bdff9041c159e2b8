import { expect, test } from 'vitest'
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

test('without an index there is no answer', () => {
  using tree = new TemporaryTree()
  expect(searchDefinitions(`${tree.path}/index.db`, 'x', 1)).toBeUndefined()
})
