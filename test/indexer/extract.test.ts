import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { extractDefinitions } from '../../src/indexer/extract.ts'
import { loadGrammar } from '../../src/indexer/grammar.ts'
import { type Language, languageOf } from '../../src/indexer/language.ts'

/** `kind container.name @line`, one a definition. */
async function outline(language: Language, text: string): Promise<readonly string[]> {
  const found = await extractDefinitions(language, text)
  return found.map(({ kind, container, name, line }) => {
    return `${kind} ${container === '' ? name : `${container}.${name}`} @${line}`
  })
}

const tables: readonly (readonly [
  name: string,
  language: Language,
  text: string,
  outline: readonly string[],
])[] = [
  [
    'TypeScript declarations',
    'typescript',
    `export interface Shape { area(): number; name: string }
export type Point = { x: number }
enum Color { Red, Green = 2 }
export abstract class Circle implements Shape {
  readonly radius = 1
  handler = () => 1
  constructor() { super() }
  abstract area(): number
  get name() { return 'circle' }
}
namespace Outer { export function inner() {} }
declare module 'thing' { export function ambient(): void }
declare function declared(): void
export const limit = 3, other = 4
let counter = 0
export const arrow = async (x: number) => { const nested = () => x; const value = 3 }`,
    [
      'interface Shape @1',
      'method Shape.area @1',
      'field Shape.name @1',
      'type Point @2',
      'field Point.x @2',
      'enum Color @3',
      'member Color.Red @3',
      'member Color.Green @3',
      'class Circle @4',
      'field Circle.radius @5',
      'method Circle.handler @6',
      'method Circle.constructor @7',
      'method Circle.area @8',
      'method Circle.name @9',
      'namespace Outer @11',
      'function Outer.inner @11',
      'namespace thing @12',
      'function thing.ambient @12',
      'function declared @13',
      'constant limit @14',
      'constant other @14',
      'variable counter @15',
      'function arrow @16',
      'function arrow.nested @16',
    ],
  ],
  [
    'TSX',
    'tsx',
    'export function App() { const click = () => 1; return <div onClick={() => 1}>x</div> }',
    ['function App @1', 'function App.click @1'],
  ],
  [
    'JavaScript of all ages',
    'javascript',
    `(function () { function hidden() {} })()
exports.open = function () {}
Thing.prototype.close = function () {}
const Named = class { #secret = 1; static make() {} }
const table = { run() {}, later: () => {}, deep: { down: function () {} }, plain: 1 }
describe('x', () => { function inTest() {} })
function* generate() {}
const { picked } = table`,
    [
      'function hidden @1',
      'function open @2',
      'method Thing.close @3',
      'class Named @4',
      'field Named.#secret @4',
      'method Named.make @4',
      'constant table @5',
      'method table.run @5',
      'method table.later @5',
      'method table.deep.down @5',
      'function inTest @6',
      'function generate @7',
    ],
  ],
  [
    'Python',
    'python',
    `LIMIT = 3
name: str = 'x'
@decorator
class Engine(Base):
    size = 1
    async def run(self):
        local = 2
        def helper(): pass
if True:
    def guarded(): pass
type Alias = int`,
    [
      'constant LIMIT @1',
      'variable name @2',
      'class Engine @4',
      'field Engine.size @5',
      'method Engine.run @6',
      'function Engine.run.helper @8',
      'function guarded @10',
      'type Alias @11',
    ],
  ],
  [
    'Go',
    'go',
    `package main
const A, B = 1, 2
var (
  x, y int
)
type Server struct { Host, Port string }
type Handler interface { Serve(w int) error }
type Name = string
type Pair[K any] map[K]K
func main() { var local int; _ = local }
func (s *Server) Listen() error { return nil }
func (p Pair[K]) Get() {}`,
    [
      'constant A @2',
      'constant B @2',
      'variable x @4',
      'variable y @4',
      'struct Server @6',
      'field Server.Host @6',
      'field Server.Port @6',
      'interface Handler @7',
      'method Handler.Serve @7',
      'type Name @8',
      'type Pair @9',
      'function main @10',
      'method Server.Listen @11',
      'method Pair.Get @12',
    ],
  ],
]

test.each(tables)('finds the definitions of %s', async (_name, language, text, expected) => {
  expect(await outline(language, text)).toEqual(expected)
})

test('a definition brings the line that it stands in, trimmed and cut', async () => {
  const long = `   function wide() { return '${'x'.repeat(500)}' }`
  const [wide] = await extractDefinitions('javascript', `\n${long}`)
  expect(wide?.text).toBe(long.trim().slice(0, 200))
  const [, far] = await extractDefinitions('javascript', `function a(){}${';'.repeat(900)}function far(){}`)
  expect(far?.text).toContain('function far(){}')
})

test('text with errors gives what can be made out, and the next text is not affected', async () => {
  expect(await outline('typescript', 'function first() {}\nclass A { method() {}\nfunction (((')).toContain(
    'function first @1',
  )
  expect(await outline('typescript', 'function whole() {}')).toEqual(['function whole @1'])
})

test('deep nesting neither overflows the stack nor loses what follows', async () => {
  const deep = `${'if (x) { '.repeat(3_000)}${'}'.repeat(3_000)}\nfunction after() {}`
  expect(await outline('javascript', deep)).toContain('function after @2')
})

test('a cancelled parse throws and leaves the parser usable', async () => {
  const long = 'const a = 1\n'.repeat(50_000)
  await expect(extractDefinitions('typescript', long, () => true)).rejects.toThrow('cancelled')
  expect(await outline('typescript', 'function whole() {}')).toEqual(['function whole @1'])
})

test('real sources: the declarations of TypeScript itself', async () => {
  const folder = join(
    dirname(createRequire(import.meta.url).resolve('zod/package.json')),
    'src',
    'v4',
    'core',
  )
  const names = new Set<string>()
  for (const file of readdirSync(folder)) {
    const language = languageOf(file)
    if (language === undefined) continue
    for (const { name } of await extractDefinitions(language, readFileSync(join(folder, file), 'utf8'))) {
      names.add(name)
    }
  }
  for (const name of ['$ZodType', '$ZodString', 'safeParse', 'JSONSchemaGenerator']) {
    expect(names).toContain(name)
  }
})

test('a file that uses up the memory of the parser fails alone', async () => {
  // Two gigabytes of WebAssembly memory are too much for a test: the parser says what it would say.
  const { parser } = await loadGrammar('go')
  vi.spyOn(parser, 'parse').mockImplementation(() => {
    throw Object.assign(new Error('Aborted()'), { name: 'RuntimeError' })
  })
  const [huge, other] = await Promise.allSettled([
    outline('go', 'package huge'),
    outline('go', 'func a() {}'),
  ])
  expect(huge).toMatchObject({ status: 'rejected', reason: { name: 'Fatal' } })
  expect(huge).toMatchObject({ reason: { message: expect.stringContaining('ran out of memory') } })
  expect(other).toEqual({ status: 'fulfilled', value: ['function a @1'] })
  expect(await outline('typescript', 'function b() {}')).toEqual(['function b @1'])
})
