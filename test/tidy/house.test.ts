/** The tidy test: the rules of the house, over its real files. What each rule refuses is shown in rules.test.ts. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { checkDoors } from './doors.ts'
import { type Finding, print } from './findings.ts'
import { checkFloors } from './floors.ts'
import { checkManifest } from './manifest.ts'
import { ratchet } from './ratchet.ts'
import { checkDeadExports, checkDeadFiles } from './reach.ts'
import { checkSizes } from './size.ts'
import { readSource, type Source } from './source.ts'
import { checkNames, checkWords } from './words.ts'

const root = resolve(import.meta.dirname, '../..')

/** Not of the house: other people's sources. */
const outside = /^(?:bench\/peers|test\/fixtures\/trees)\//

const sources: readonly Source[] = ['src', 'workers', 'bench', 'test']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`),
  )
  .concat('vitest.config.ts')
  .filter((path) => /\.[mc]?ts$/.test(path) && !outside.test(path))
  .sort()
  .flatMap(read)

function read(path: string): Source[] {
  try {
    return [readSource(path, readFileSync(join(root, path), 'utf8'))]
  } catch (error) {
    // Some fixtures are broken on purpose.
    if (path.startsWith('test/fixtures/')) return []
    throw error
  }
}

function expectNone(findings: readonly Finding[]): void {
  expect(findings.map(print)).toEqual([])
}

test('imports point down the floors', () => expectNone(checkFloors(sources)))
test('doors are used only where the layout says', () => expectNone(checkDoors(sources)))
test('no file is dead', () => expectNone(checkDeadFiles(sources)))
test('no export is dead', () => expectNone(checkDeadExports(sources)))
test('files and functions are short', () => expectNone(checkSizes(sources, ratchet)))
test('names say what flows through', () => expectNone(checkNames(sources)))
test('no word is left that should not be', () => expectNone(checkWords(sources)))
test('package.json is true', () => {
  const scripts = ['.ci/build.mjs', '.ci/bundle.mjs'].flatMap(read)
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expectNone(checkManifest(manifest, [...sources, ...scripts]))
})
