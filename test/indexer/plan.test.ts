import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KnownFile } from '../../src/indexer/index-snapshot.ts'
import { planRun } from '../../src/indexer/plan.ts'
import { subjectKeyOf } from '../../src/indexer/subject.ts'

const known: KnownFile = { size: 10, mtimeMs: 1_000, checkedAtMs: 9_000, hash: 'h', skipReason: null, run: 1 }
const skippedBefore: KnownFile = { ...known, hash: null, skipReason: 'binary' }

test.each([
  ['new', { size: 10, mtimeMs: 1_000 }, undefined, 'read'],
  ['the same', { size: 10, mtimeMs: 1_000 }, known, 'unchanged'],
  ['another size', { size: 11, mtimeMs: 1_000 }, known, 'read'],
  ['another time', { size: 10, mtimeMs: 999 }, known, 'read'],
  ['read just after it was written', { size: 10, mtimeMs: 1_000 }, { ...known, checkedAtMs: 3_000 }, 'read'],
  [
    'read long enough after it was written',
    { size: 10, mtimeMs: 1_000 },
    { ...known, checkedAtMs: 3_001 },
    'unchanged',
  ],
  ['skipped before and the same', { size: 10, mtimeMs: 1_000 }, skippedBefore, 'skipped binary'],
  ['skipped before and changed', { size: 12, mtimeMs: 1_000 }, skippedBefore, 'read'],
  ['grown over the limit', { size: 101, mtimeMs: 2_000 }, known, 'dropped'],
  ['at the limit', { size: 100, mtimeMs: 2_000 }, known, 'read'],
] as const)('a file that is %s', (_name, stamp, before, expected) => {
  const plan = planRun([{ path: 'a.ts', ...stamp }], new Map(before ? [['a.ts', before]] : []), 100)
  const found = [
    ...plan.toRead.map(() => 'read'),
    ...plan.unchanged.map(() => 'unchanged'),
    ...plan.dropped.map(() => 'dropped'),
    ...[...plan.skipped.keys()]
      .filter((reason) => reason !== 'too-large')
      .map((reason) => `skipped ${reason}`),
  ]
  expect(found).toEqual([expected])
  expect(plan.removed).toEqual([])
})

test('every file has exactly one fate, and every known path is found or removed', () => {
  const paths = fc.uniqueArray(fc.constantFrom('a.ts', 'b.go', 'c.txt', 'd.py', 'e.tsx', 'f.md'))
  const stamps = fc.record({ size: fc.nat(200), mtimeMs: fc.nat(5_000) })
  fc.assert(
    fc.property(paths, paths, stamps, (present, indexed, stamp) => {
      const files = present.map((path) => ({ path, ...stamp }))
      const plan = planRun(files, new Map(indexed.map((path) => [path, known])), 100)
      const skipped = [...plan.skipped.values()].reduce((sum, count) => sum + count, 0)
      expect(plan.toRead.length + plan.unchanged.length + skipped).toBe(present.length)
      expect([...plan.removed].sort()).toEqual(indexed.filter((path) => !present.includes(path)).sort())
    }),
  )
})

test('a subject key is bounded, and stays different for different paths', () => {
  expect(subjectKeyOf('app', 'src/a.ts')).toBe('cli::app::src/a.ts')
  const long = 'x'.repeat(600)
  const keys = [subjectKeyOf('app', `${long}1`), subjectKeyOf('app', `${long}2`)]
  expect(new Set(keys).size).toBe(2)
  for (const key of keys) expect(key).toHaveLength(512)
})
