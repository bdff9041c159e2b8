import { expect, test } from 'vitest'
import { languageOf } from '../../src/indexer/language.ts'

test.each([
  ['a.ts', 'typescript'],
  ['deep/a.d.mts', 'typescript'],
  ['a.cts', 'typescript'],
  ['A.TSX', 'tsx'],
  ['a.jsx', 'javascript'],
  ['a.cjs', 'javascript'],
  ['a.pyi', 'python'],
  ['a.go', 'go'],
  ['.py', undefined],
  ['folder.ts/README', undefined],
  ['folder/.go', undefined],
  ['a.rs', undefined],
  ['ts', undefined],
  ['', undefined],
])('the language of %j is %s', (path, language) => {
  expect(languageOf(path)).toBe(language)
})
