/** Each rule of the house refuses what it should, and nothing else: shown on small houses made for it. */
import { describe, expect, test } from 'vitest'
import { checkDoors } from './doors.ts'
import { type Finding, print } from './findings.ts'
import { checkFloors } from './floors.ts'
import { checkManifest, type Manifest } from './manifest.ts'
import { checkDeadExports, checkDeadFiles } from './reach.ts'
import { checkSizes } from './size.ts'
import { readSource, type Source } from './source.ts'
import { checkNames, checkWords } from './words.ts'

type House = Readonly<Record<string, string>>

function build(house: House): Source[] {
  return Object.entries(house).map(([path, text]) => readSource(path, text))
}

function printed(findings: readonly Finding[]): string[] {
  return findings.map(print)
}

/** What the rule says about a house of one file. */
function about(rule: (sources: readonly Source[]) => Finding[], path: string, text: string): string[] {
  return printed(rule(build({ [path]: text })))
}

describe('floors', () => {
  test.each([
    ['src/errors.ts', "import '../package.json'", 'package.json is not allowed here'],
    ['src/errors.ts', "import { a } from './clock.ts'", 'neighbours do not import each other'],
    ['src/job/a.ts', "import { a } from '../actor/define.ts'", 'neighbours do not import each other'],
    ['src/actor/a.ts', "import type { A } from '../config.ts'", 'neighbours do not import each other'],
    ['src/store/a.ts', "export * from '../engine/engine.ts'", '(floor 6) is not allowed here on floor 3'],
    [
      'src/job/a.ts',
      "export const b = await import('../store/b.ts')",
      '(floor 3) is not allowed here on floor 2',
    ],
    ['src/job/a.ts', "export type B = import('../store/b.ts').B", '(floor 3) is not allowed here on floor 2'],
    [
      'src/engine/a.ts',
      "import { a } from '../supervisor/messages.ts'",
      'use `import type` from src/supervisor/messages',
    ],
    [
      'src/engine/a.ts',
      "import type { A } from '../supervisor/loop.ts'",
      'use `import type` from src/supervisor/messages',
    ],
    ['src/maintenance/a.ts', "import '../supervisor/messages.ts'", 'it runs on another thread'],
    ['src/indexer/a.ts', "import { a } from '../store/open.ts'", 'the indexer has no private door'],
    ['src/indexer/a.ts', "import { a } from '../engine/inner.ts'", 'the indexer has no private door'],
    ['src/stray/a.ts', '', 'stands on no floor'],
  ])('%s may not say %s', (path, text, complaint) => {
    expect(about(checkFloors, path, text)).toEqual([expect.stringContaining(complaint)])
  })

  test.each([
    ['src/job/a.ts', "import { b } from './b.ts'"],
    ['src/config.ts', "import { maxOverlap } from './job/definition.ts'"],
    ['src/engine/a.ts', "import type { A } from '../supervisor/messages.ts'"],
    ['src/engine/a.ts', "import { type A, type B } from '../supervisor/messages.ts'"],
    ['src/indexer/a.ts', "import { Engine } from '../engine/engine.ts'"],
    ['src/cli/a.ts', "import { a } from '../errors.ts'"],
    ['src/actor/a.ts', "export const url = new URL('../../workers/actor.ts', import.meta.url)"],
    ['workers/actor.ts', "import { a } from '../src/supervisor/loop.ts'"],
    ['test/job/a.test.ts', "import { a } from '../../src/supervisor/loop.ts'"],
  ])('%s may say %s', (path, text) => {
    expect(about(checkFloors, path, text)).toEqual([])
  })
})

describe('doors', () => {
  test.each([
    ['src/engine/a.ts', "import Database from 'better-sqlite3'", 'better-sqlite3'],
    ['src/engine/a.ts', "import type { Database } from 'better-sqlite3'", 'better-sqlite3'],
    ['src/supervisor/loop.ts', "import { Piscina } from 'piscina'", 'piscina'],
    ['workers/pool-thread.ts', "import { move } from 'piscina'", 'piscina'],
    ['src/supervisor/loop.ts', "import pino from 'pino'", 'pino'],
    ['src/engine/a.ts', "import { trace } from '@opentelemetry/api'", '@opentelemetry/api'],
    ['src/job/a.ts', "export const a = await import('@vscode/tree-sitter-wasm')", '@vscode/tree-sitter-wasm'],
    ['src/store/a.ts', "new Worker('x')", 'new Worker'],
    ['src/store/a.ts', "new threads.Worker('x')", 'new Worker'],
    ['src/engine/a.ts', 'process.env.HOME', 'process.env'],
    ['src/engine/a.ts', 'const { env } = process', 'process.env'],
    ['src/engine/a.ts', "import { env } from 'node:process'", 'process.env'],
    ['src/engine/a.ts', 'process.exit(1)', 'process.exit'],
    ['src/actor/thread.ts', 'process.exit(1)', 'process.exit'],
    ['src/engine/a.ts', "console.log('x')", 'console'],
    ['src/engine/a.ts', 'globalThis.console', 'console'],
    ['src/engine/a.ts', 'const now = Date.now', 'Date.now'],
    ['src/engine/a.ts', 'new Date()', 'new Date without a time'],
    ['src/engine/a.ts', 'performance.now()', 'performance.now'],
    ['src/engine/a.ts', 'setTimeout(() => {}, 1)', 'setTimeout'],
    ['src/engine/a.ts', 'later(setImmediate)', 'setImmediate'],
    [
      'src/engine/a.ts',
      "import { setTimeout as sleep } from 'node:timers/promises'",
      'timers/promises.setTimeout',
    ],
    ['src/engine/a.ts', "import * as timers from 'node:timers'", 'timers.*'],
    ['src/engine/a.ts', 'AbortSignal.timeout(1)', 'AbortSignal.timeout'],
  ])('%s may not say %s', (path, text, what) => {
    expect(about(checkDoors, path, `\n${text}`)).toEqual([
      expect.stringContaining(`${path}:2: ${what} is not allowed here, use `),
    ])
  })

  test.each([
    ['src/store/open.ts', "import Database from 'better-sqlite3'"],
    ['src/supervisor/boot-thread.ts', "import { Piscina } from 'piscina'"],
    ['src/actor/thread.ts', "new Worker('x')"],
    ['src/actor/thread-start.ts', 'process.exit()'],
    ['src/config.ts', 'process.env.HOME'],
    ['src/cli/semantica.ts', "console.log('x'); process.exit(1)"],
    ['src/clock.ts', 'Date.now() + performance.now(); setTimeout(() => {}, 1)'],
    ['src/engine/a.ts', "// process.env\n/* console.log */ const text = 'process.exit()' + `Date.now()`"],
    ['src/engine/a.ts', 'new Date(5); log.console; ({ setTimeout: 1 }); process.exitCode = 1'],
    ['src/engine/a.ts', 'export type Now = typeof Date.now; export interface Timers { setTimeout(): void }'],
    ['bench/main.ts', 'console.log(process.env.HOME, performance.now())'],
  ])('%s may say %s', (path, text) => {
    expect(about(checkDoors, path, text)).toEqual([])
  })
})

describe('dead files', () => {
  test('one that only tests, or other dead files, import', () => {
    const house = {
      'src/index.ts': "export { a } from './engine/a.ts'",
      'src/engine/a.ts': "export const a = new URL('./by-url.ts', import.meta.url)",
      'src/engine/by-url.ts': '',
      'src/engine/tested.ts': '',
      'src/engine/dead.ts': "import './deader.ts'",
      'src/engine/deader.ts': "import './dead.ts'",
      'workers/actor.ts': "import '../src/actor/run.ts'",
      'src/actor/run.ts': '',
      'test/engine/a.test.ts': "import '../../src/engine/tested.ts'; import './support.ts'; run('child.ts')",
      'test/engine/support.ts': '',
      'test/engine/child.ts': '',
      'test/engine/forgotten.ts': '',
      'test/fixtures/jobs.ts': '',
      'vitest.config.ts': '',
    }
    expect(printed(checkDeadFiles(build(house)))).toEqual([
      'src/engine/tested.ts: dead file: nothing of the product imports it',
      'src/engine/dead.ts: dead file: nothing of the product imports it',
      'src/engine/deader.ts: dead file: nothing of the product imports it',
      'test/engine/forgotten.ts: dead file: nothing imports it',
    ])
  })
})

describe('dead exports', () => {
  const exporter = `
    export const used = 1, unused = 2
    export function called() {}
    export class Forgotten {}
    export interface Shape {}
    export type Signature = Shape
    const renamed = 1
    export { renamed as listed }
    export const { left, right: [inner] } = used
    export default 1`

  test('those that no other file imports', () => {
    const house = {
      'src/engine/a.ts': exporter,
      'test/a.test.ts': "import { used, called as b } from '../src/engine/a.ts'",
    }
    expect(printed(checkDeadExports(build(house)))).toEqual([
      'src/engine/a.ts:2: dead export: nothing imports unused',
      'src/engine/a.ts:4: dead export: nothing imports Forgotten',
      'src/engine/a.ts:6: dead export: nothing imports Signature',
      'src/engine/a.ts:8: dead export: nothing imports listed',
      'src/engine/a.ts:9: dead export: nothing imports left',
      'src/engine/a.ts:9: dead export: nothing imports inner',
    ])
  })

  test.each([
    "import * as all from '../src/engine/a.ts'",
    "export * from '../src/engine/a.ts'",
    "const all = await import('../src/engine/a.ts')",
    "export { unused, Forgotten, Signature, listed, left, inner, used, called } from '../src/engine/a.ts'",
  ])('none when %s', (text) => {
    const sources = build({ 'src/engine/a.ts': exporter, 'test/a.ts': text })
    expect(printed(checkDeadExports(sources)).filter((line) => line.startsWith('src/'))).toEqual([])
  })

  test('none at a public door', () => {
    expect(about(checkDeadExports, 'src/jobs.ts', exporter)).toEqual([])
  })
})

describe('sizes', () => {
  const long = (lines: number) => `function long() {\n${'1\n'.repeat(lines - 2)}}\n`
  const of = (text: string, ratchet = 0, path = 'src/a.ts') =>
    printed(
      checkSizes(build({ [path]: text }), ratchet === 0 ? [] : [{ path, function: 'long', lines: ratchet }]),
    )

  test('a file of 400 lines is allowed, one more is not', () => {
    expect(of('1\n'.repeat(400))).toEqual([])
    expect(of('1\n'.repeat(401))).toEqual([
      expect.stringContaining('src/a.ts: 401 lines are not allowed here'),
    ])
  })

  test('a thread entry of 39 lines is allowed, one more is not', () => {
    expect(of('1\n'.repeat(39), 0, 'workers/a.ts')).toEqual([])
    expect(of('1\n'.repeat(40), 0, 'workers/a.ts')).toEqual([expect.stringContaining('wiring only')])
  })

  test('a function of 70 lines is allowed, one more is not', () => {
    expect(of(long(70))).toEqual([])
    expect(of(`\n${long(71)}`)).toEqual([
      'src/a.ts:2: long has 71 lines, which is not allowed here, use at most 70',
    ])
  })

  test.each([
    ['const long = () => {\nBODY}', 'long'],
    ['class A { long() {\nBODY} }', 'long'],
    ['class A { #long = function () {\nBODY} }', 'long'],
    ['export default { long: async () => {\nBODY} }', 'long'],
    ["test('a', () => {\nBODY})", '(unnamed)'],
  ])('whatever its form: %s', (form, name) => {
    expect(of(form.replace('BODY', '1\n'.repeat(80)))).toEqual([
      `src/a.ts:1: ${name} has 82 lines, which is not allowed here, use at most 70`,
    ])
  })

  test('a group of tests is not a function', () => {
    expect(of(`describe.each([1])('a', () => {\n${'1\n'.repeat(80)}})`)).toEqual([])
  })

  test('one in the ratchet may stay, not grow', () => {
    expect(of(long(90), 90)).toEqual([])
    expect(of(long(91), 90)).toEqual([expect.stringContaining('long has 91 lines')])
  })

  test('one in the ratchet that shrank takes its entry along', () => {
    expect(of(long(80), 90)).toEqual([expect.stringContaining('write 80 in the ratchet')])
    expect(of(long(70), 90)).toEqual([expect.stringContaining('remove it from the ratchet')])
    expect(of('', 90)).toEqual([expect.stringContaining('remove it from the ratchet')])
  })
})

describe('names and words', () => {
  test.each([
    'src/utils/a.ts',
    'src/job/types.ts',
    'test/helpers/a.ts',
    'src/common/b/c.ts',
  ])('%s', (path) => {
    expect(about(checkNames, path, '')).toEqual([expect.stringContaining('use what flows through it')])
  })

  test('a name that only contains such a word is allowed', () => {
    expect(about(checkNames, 'src/job/type-names.ts', '')).toEqual([])
  })

  test.each([
    ['src/a.ts', '// TODO: later', 'TODO'],
    ['src/a.ts', '/* FIXME */', 'FIXME'],
    ['src/a.ts', '// @ts-ignore', '@ts-ignore'],
    ['test/a.test.ts', "test.only('a', () => {})", 'test.only'],
    ['test/a.test.ts', "describe.skip('a', () => {})", 'describe.skip'],
    ['src/a.ts', 'export const a: any = 1', 'any'],
    ['src/a.ts', 'export const a = <T extends any[]>(b: T) => b', 'any'],
    ['test/a.test.ts', 'setTimeout(done, 5)', 'setTimeout'],
    ['test/a.test.ts', "import { setTimeout } from 'node:timers/promises'", 'timers/promises.setTimeout'],
    ['test/a.test.ts', "import { delay } from '../src/clock.ts'", 'delay'],
    ['test/a.test.ts', 'await vi.waitFor(() => done)', 'vi.waitFor'],
    ['test/a.test.ts', 'await expect.poll(() => done)', 'expect.poll'],
  ])('%s may not say %s', (path, text, what) => {
    expect(about(checkWords, path, text)).toEqual([
      expect.stringContaining(`${path}:1: ${what} is not allowed here, use `),
    ])
  })

  test.each([
    ['src/job/definition.ts', 'export const a: any = 1'],
    ['src/a.ts', 'export const any = company.any // any'],
    ['test/fixtures/slow.ts', 'setTimeout(done, 2_000)'],
    ['test/a.test.ts', "test.skipIf(isRoot)('a', () => {}); import { systemClock } from '../src/clock.ts'"],
  ])('%s may say %s', (path, text) => {
    expect(about(checkWords, path, text)).toEqual([])
  })
})

describe('package.json', () => {
  const house = {
    'src/index.ts':
      "import a from 'a'; import type { B } from '@b/c/d'; require.resolve('by-string/file.wasm')",
    'src/cli/run.ts': "import 'node:fs'",
    'test/a.test.ts': "import 'tested'; import 'a'",
  }
  const manifest = {
    bin: { run: 'dist/src/cli/run.js' },
    exports: {
      '.': { types: './dist/src/index.d.ts', default: './dist/src/index.js' },
      './package.json': './package.json',
    },
    scripts: { check: 'biome check . && tsc' },
    dependencies: { a: '1', '@b/c': '1', 'by-string': '1' },
    devDependencies: {
      tested: '1',
      typescript: '1',
      '@biomejs/biome': '1',
      '@types/a': '1',
      '@types/node': '1',
    },
  } satisfies Manifest

  const complaints = (changes: Manifest) =>
    checkManifest({ ...manifest, ...changes }, build(house)).map(({ text }) => text)

  test('nothing to say when all is true', () => {
    expect(complaints({})).toEqual([])
  })

  test.each<[string, Manifest, string]>([
    [
      'an unused dependency',
      { dependencies: { ...manifest.dependencies, tested: '1' } },
      'dependency tested is used nowhere in src',
    ],
    [
      'an unused devDependency',
      { devDependencies: { ...manifest.devDependencies, e: '1' } },
      'devDependency e is used nowhere',
    ],
    [
      'types of nothing',
      { devDependencies: { ...manifest.devDependencies, '@types/e': '1' } },
      'devDependency @types/e is used nowhere',
    ],
    [
      'a tool that no script calls',
      { scripts: { check: 'tsc' } },
      'devDependency @biomejs/biome is used nowhere',
    ],
    ['a missing export', { exports: { '.': './dist/src/gone.js' } }, './dist/src/gone.js is published'],
    [
      'missing types',
      { exports: { '.': { types: './dist/src/gone.d.ts' } } },
      './dist/src/gone.d.ts is published',
    ],
    ['a missing command', { bin: { run: 'dist/src/cli/gone.js' } }, 'dist/src/cli/gone.js is published'],
  ])('%s', (_what, changes, complaint) => {
    expect(complaints(changes)).toEqual([expect.stringContaining(complaint)])
  })

  test('a module that is known only at run time is no package', () => {
    const sources = build({ ...house, 'src/load.ts': 'export const load = (url: string) => import(url)' })
    expect(printed(checkManifest(manifest, sources))).toEqual([])
  })

  test('a package that is used and not declared, or only for development', () => {
    const { '@b/c': _, a, ...dependencies } = manifest.dependencies
    const devDependencies = { ...manifest.devDependencies, a }
    expect(complaints({ dependencies, devDependencies })).toEqual([
      'src/index.ts:1 imports a, which is not among dependencies',
      'src/index.ts:1 imports @b/c, which is not among dependencies',
    ])
  })
})
