/** Goal: a configuration file does what it says, or is refused with its place. Method: real files and real engines. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { commandSources, defineConfig, readSources } from '../../src/config.ts'
import { effectiveSettings } from '../../src/engine/effective-settings.ts'
import { Engine } from '../../src/engine/engine.ts'
import { rejectionOf } from '../engine/open-engine.ts'
import basic from '../fixtures/jobs/basic.ts'
import { thrownBy } from '../store/folder.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

function write(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

test.each([
  ['a.ts', 'interface Shape { threads: number }\nexport default { threads: 1 } satisfies Shape'],
  ['b.mts', 'export default { threads: 1 as number }'],
  ['c.js', 'export default { threads: 1 }'],
  ['d.cjs', 'module.exports = { threads: 1 }'],
  ['e.json', '\uFEFF{ "threads": 1 }'],
])('%s', async (name, text) => {
  const path = write(name, text)
  expect((await readSources({ config: path }, {})).file).toEqual({ path, values: { threads: 1 } })
})

test.each([
  ['missing.json', undefined, 'PATH_INVALID', 'missing.json does not exist'],
  ['a.yaml', 'threads: 1', 'CONFIG_INVALID', 'a.yaml ends in .yaml. Allowed: .ts,'],
  [
    'a.json',
    '{\n  "threads": 1,\n}',
    'CONFIG_INVALID',
    'a.json:3:1 is not JSON: }. Allowed: a name in double',
  ],
  ['b.json', '[]', 'CONFIG_INVALID', 'b.json holds []'],
  ['a.ts', 'export const threads = 1', 'CONFIG_INVALID', 'a.ts has no default export'],
  ['b.mjs', 'throw new Error("not today")', 'CONFIG_INVALID', 'b.mjs:1:7 cannot be loaded: not today'],
  ['c.mjs', 'export default () => ({})', 'CONFIG_INVALID', 'c.mjs holds'],
  ['c.json', '{ "thread": 1 }', 'OPTION_INVALID', 'thread in'],
  ['d.json', '{ "thread": 1 }', 'OPTION_INVALID', 'Did you mean threads?'],
  ['e.json', '{ "throttle": { "cpu_percent": 1 } }', 'OPTION_INVALID', 'Did you mean throttle.cpuPercent?'],
  ['f.json', '{ "subprocess": true }', 'OPTION_INVALID', 'subprocess in'],
  ['g.json', '{ "jobs": "./jobs.ts" }', 'OPTION_INVALID', 'can only be given to Engine.start'],
  [
    'm.json',
    '{ "throttle": { "measure": true } }',
    'OPTION_INVALID',
    'm.json can only be given to Engine.start',
  ],
  [
    'b.json',
    '{ "subprocess": { "serveBuiltIn": false } }',
    'OPTION_INVALID',
    'b.json can only be given to Engine.start',
  ],
  [
    'r.json',
    '{ "maintenance": { "retentionMs": { "RUNNING": 1 } } }',
    'OPTION_INVALID',
    'maintenance.retentionMs.RUNNING in ',
  ],
  ['s.json', '{ "maintenance": { "retentionMs": 1 } }', 'OPTION_INVALID', 's.json is 1. Allowed: an object'],
  ['t.json', '{ "maintenance": { "retention": 7 } }', 'OPTION_INVALID', 'retentionMs'],
] as const)('%s with %j is refused', async (name, text, code, message) => {
  const path = text === undefined ? join(folder, name) : write(name, text)
  expect((await rejectionOf(readSources({ config: path }, {}), code)).message).toContain(message)
})

test('the command reads the file of its folder, of the variable, or of the flag', async () => {
  expect(commandSources({}, folder, {})).toEqual({ overrides: {} })
  const found = write('semantica.config.json', '{}')
  const named = write('named.json', '{}')
  const wanted = write('wanted.json', '{}')
  const environment = { SEMANTICA_CONFIG: named }
  const fileOf = async (flags: { config?: string }, variables: Record<string, string>) =>
    (await readSources(commandSources(flags, folder, variables), variables)).file?.path
  expect(await fileOf({}, {})).toBe(found)
  expect(await fileOf({}, environment)).toBe(named)
  expect(await fileOf({ config: wanted }, environment)).toBe(wanted)
  write('semantica.config.ts', 'export default {}')
  expect(thrownBy(() => commandSources({}, folder, {}), 'CONFIG_INVALID').message).toContain(
    'semantica.config.ts and semantica.config.json',
  )
  expect(await fileOf({}, environment)).toBe(named)
})

test.each([
  ['a folder', (path: string) => mkdirSync(path), 'is not a file'],
  [
    'a link that leads nowhere',
    (path: string) => symlinkSync('nowhere', path),
    'is a link that leads nowhere',
  ],
  ['a link to itself', (path: string) => symlinkSync(path, path), 'is a link that leads nowhere'],
])('%s of the name is not taken for no file', async (_, make, text) => {
  const path = join(folder, 'semantica.config.ts')
  make(path)
  const error = await rejectionOf(readSources(commandSources({}, folder, {}), {}), 'PATH_INVALID')
  expect(error.message).toContain(`${path} ${text}`)
})

test('a folder that is a link to itself holds no file', async () => {
  const loop = join(folder, 'loop')
  symlinkSync(loop, loop)
  expect((await readSources(commandSources({}, loop, {}), {})).file).toBeUndefined()
  const error = await rejectionOf(readSources({ config: join(loop, 'a.json') }, {}), 'PATH_INVALID')
  expect(error.message).toContain(`${join(loop, 'a.json')} does not exist`)
})

test('an engine takes its file, lets the environment win over it, and overrides over that', async () => {
  expect(defineConfig({ threads: 1 })).toEqual({ threads: 1 })
  const config = write(
    'app.config.json',
    '{ "database": "tasks.db", "threads": 1, "throttle": false, "subprocess": { "concurrency": 3 } }',
  )
  vi.stubEnv('SEMANTICA_LOG_LEVEL', 'silent')
  const options = { threads: 4, durability: 'power', logLevel: 'info', config } as const
  const settings = await effectiveSettings({ ...options, overrides: { stopGraceMs: 0 } })
  expect(Object.fromEntries(settings.map(({ name, value }) => [name, value]))).toMatchObject({
    database: join(folder, 'tasks.db'),
    threads: 1,
    durability: 'power',
    logLevel: 'silent',
    stopGraceMs: 0,
    throttle: false,
    'subprocess.concurrency': 3,
  })
  await using engine = await Engine.start({ jobs: basic, ...options })
  expect(existsSync(join(folder, 'tasks.db'))).toBe(true)
  expect((await engine.stats()).threads).toMatchObject({ ready: 1 })
})

test('a database that nothing names, and names that are no options, refuse the start', async () => {
  const missing = await rejectionOf(Engine.start({ jobs: basic }), 'OPTION_INVALID')
  expect(missing.message).toContain('database is not given. Allowed: the path of a file')
  const database = join(folder, 'tasks.db')
  // @ts-expect-error no such option
  const wrong = Engine.start({ jobs: basic, database, overrides: { thread: 1 } })
  expect((await rejectionOf(wrong, 'OPTION_INVALID')).message).toContain('overrides.thread is not an option')
  vi.stubEnv('SEMANTICA_THREADS', 'two')
  const failed = await rejectionOf(Engine.start({ jobs: basic, database }), 'OPTION_INVALID')
  expect(failed.details).toEqual({ option: 'threads', source: 'SEMANTICA_THREADS' })
})
