/** Goal: whoever runs an engine sees what is in effect, and why. Method: the real command in a folder of its own. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { TemporaryTree } from '../indexer/direct-indexer.ts'

const command = fileURLToPath(new URL('../../src/cli/semantica.ts', import.meta.url))

function semantica(folder: string, commandLine: readonly string[], variables: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...commandLine], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...variables },
  })
  return { status, stdout, stderr }
}

interface Shown {
  readonly file: string | null
  readonly settings: readonly { readonly name: string; readonly value: unknown; readonly source: string }[]
  readonly unknown_variables: readonly unknown[]
}

function shown(stdout: string): { readonly [name: string]: readonly [unknown, string] } {
  const { settings }: Shown = JSON.parse(stdout)
  return Object.fromEntries(settings.map(({ name, value, source }) => [name, [value, source]]))
}

test('each value is shown with the place that gave it', () => {
  using tree = new TemporaryTree().write({
    'semantica.config.ts': `import type { Configuration } from 'semantica-task-engine'
      export default { database: 'jobs.db', threads: 1, durability: 'power', stopGraceMs: 5 } satisfies Configuration`,
  })
  const file = `${tree.path}/semantica.config.ts`
  const variables = { SEMANTICA_THREADS: '2', SEMANTICA_DURABILITY: 'process' }
  const { status, stdout, stderr } = semantica(tree.path, ['config', '--threads', '3', '--json'], variables)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({ file, unknown_variables: [] })
  expect(shown(stdout)).toMatchObject({
    database: [`${tree.path}/jobs.db`, file],
    threads: [3, '--threads'],
    durability: ['process', 'SEMANTICA_DURABILITY'],
    stopGraceMs: [5, file],
    logLevel: ['warn', 'default'],
  })
  const text = semantica(tree.path, ['config'], variables).stdout.split('\n')
  expect(text).toContainEqual(expect.stringMatching(/^threads +2 +SEMANTICA_THREADS$/))
  expect(text).toContainEqual(expect.stringMatching(/^throttle +on +default$/))
})

test('a variable that is none gets a warning, and is shown', () => {
  using tree = new TemporaryTree()
  const variables = { SEMANTICA_THREDS: '4' }
  const { status, stderr } = semantica(tree.path, ['config'], variables)
  expect(status).toBe(0)
  expect(stderr).toBe(
    'semantica: warning: SEMANTICA_THREDS is set, but it is not a variable of this version. Did you mean SEMANTICA_THREADS?\n',
  )
  expect(JSON.parse(semantica(tree.path, ['config', '--json'], variables).stdout).unknown_variables).toEqual([
    { name: 'SEMANTICA_THREDS', meant: 'SEMANTICA_THREADS' },
  ])
})

test.each([
  [
    ['config'],
    { SEMANTICA_THREADS: 'many' },
    'SEMANTICA_THREADS is "many". Allowed: a whole number from 1 to 256',
  ],
  [
    ['config', '--threads', '0'],
    {},
    "'0' is invalid. Allowed: a whole number from 1 to 256. (OPTION_INVALID)\nRun with --help",
  ],
  [['config', '--durability', 'total'], {}, 'Allowed choices are process, power. (OPTION_INVALID)'],
  [['config', '--config', 'no.json'], {}, 'no.json does not exist'],
  [['config'], { SEMANTICA_CONFIG: 'broken.json' }, 'broken.json:2:1 is not JSON: the end of the file'],
  [['config', '--config', 'unknown.json'], {}, 'Did you mean threads?'],
  [['config', '--config', 'broken.js'], {}, 'broken.js cannot be loaded: Unexpected token'],
  [['config', '--config', 'broken.ts'], {}, 'broken.ts:2 cannot be loaded: '],
  [['index', '--config', 'unknown.json'], {}, 'Did you mean threads?'],
  [['index'], { SEMANTICA_STOP_GRACE_MS: 'x' }, 'SEMANTICA_STOP_GRACE_MS is "x"'],
  [['config', 'extra'], {}, 'too many arguments'],
] as const)('%j with %j ends with 2 and one clear message', (commandLine, variables, message) => {
  using tree = new TemporaryTree().write({
    'broken.json': '{\n',
    'broken.js': 'export default {,}',
    'broken.ts': 'export default {\n  threads: 4,,\n}',
    'unknown.json': '{ "thread": 1 }',
  })
  const { status, stdout, stderr } = semantica(tree.path, commandLine, variables)
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toMatch(/^semantica: /)
  expect(stderr).toContain(message)
  expect(stderr).not.toMatch(/^\s+at /m)
})

test('index heeds the configuration, and keeps its own database', () => {
  using tree = new TemporaryTree().write({
    'a.ts': 'const a = 1',
    'semantica.config.json': '{ "threads": 1, "database": "elsewhere/tasks.db", "logLevel": "debug" }',
  })
  const { status, stderr } = semantica(tree.path, ['index', '.', '--json'], {
    SEMANTICA_DATABASE: '/nowhere/tasks.db',
  })
  expect(status).toBe(0)
  expect(stderr).toContain('"level"')
  expect(semantica(tree.path, ['search', 'a'])).toMatchObject({ status: 0 })
})

test('index refuses wrong values and tells unknown variables also where no file has changed', () => {
  using tree = new TemporaryTree().write({ 'a.ts': 'const a = 1' })
  const warning =
    'semantica: warning: SEMANTICA_RETENTION_DAY is set, but it is not a variable of this version. Did you mean SEMANTICA_RETENTION_DAYS?\n'
  const unknown = { SEMANTICA_RETENTION_DAY: '1' }
  // Once, though an engine that it starts would tell it too.
  expect(semantica(tree.path, ['index', '--threads', '1', '--json'], unknown)).toMatchObject({
    status: 0,
    stderr: warning,
  })
  expect(semantica(tree.path, ['index', '--json'], unknown)).toMatchObject({ status: 0, stderr: warning })
  const { status, stdout, stderr } = semantica(tree.path, ['index', '--json'], {
    SEMANTICA_ALERTS_EVERY_MS: 'x',
  })
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toContain('SEMANTICA_ALERTS_EVERY_MS is "x". Allowed: a whole number from 10')
})

test.each([
  ['a device that is full', '> /dev/full', 'ENOSPC'],
  // As on a disk with room for its beginning.
  ['a file that may not become as large', '> out.json', 'EFBIG'],
])('output to %s is an error', (_what, redirection, code) => {
  using tree = new TemporaryTree()
  const script = `ulimit -f 8; exec "$0" "$1" config --json ${redirection}`
  const { status, stderr } = spawnSync('/bin/sh', ['-c', script, process.execPath, command], {
    cwd: tree.path,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE },
  })
  expect(status).toBe(2)
  expect(stderr).toMatch(new RegExp(`^semantica: the output cannot be written: ${code}.*\\n$`))
})
