import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Connection from 'better-sqlite3'
import { expect, test } from 'vitest'
import { printable } from '../../src/cli/printable.ts'
import { DirectIndexer, TemporaryTree } from '../indexer/direct-indexer.ts'

const command = fileURLToPath(new URL('../../src/cli/semantica.ts', import.meta.url))

function semantica(commandLine: readonly string[], folder = process.cwd()) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...commandLine], {
    cwd: folder,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

test('help and version', () => {
  const help = semantica(['--help'])
  expect(help).toMatchObject({ status: 0, stderr: '' })
  expect(help.stdout).toContain('Exit codes:')
  expect(help.stdout).toContain('semantica search')
  expect(semantica(['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test('help is for terminals, and says of the database what the command does with it', () => {
  const helps = ['index', 'config', 'list'].map((name) => semantica([name, '--help']).stdout)
  for (const help of [...helps, semantica(['migrate', 'up', '--help']).stdout]) {
    expect(help).toContain('--config <file>')
    expect(help).not.toMatch(/\]\(|made when missing/)
  }
  expect(semantica(['show', '--help']).stdout).toContain('log')
  expect(helps[0]).toContain("what the engine's log holds: silent")
})

test.each([
  [['bogus'], 'unknown command'],
  [['index', '--threads', '0'], 'Allowed: a whole number from 1 to 256'],
  [['index', '--max-file-bytes', '2MB'], 'Allowed: a whole number'],
  [['search'], 'missing required argument'],
  [['search', ''], 'name to search for is empty'],
  [['search', 'x', '/does/not/exist'], '/does/not/exist cannot be read'],
  [['index', '/does/not/exist'], 'PATH_INVALID'],
  [['index', command], 'PATH_INVALID'],
] as const)('%j ends with 2 and one clear message', (commandLine, message) => {
  const { status, stdout, stderr } = semantica(commandLine)
  expect(status).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain(message)
  expect(stderr).toMatch(/^semantica: /)
  expect(stderr).not.toMatch(/^\s+at /m)
})

test('the exit code stays when nobody reads stderr', async () => {
  const child = spawn(process.execPath, [command, 'search', 'x', '/does/not/exist'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  child.stderr.destroy()
  expect(await once(child, 'exit')).toEqual([2, null])
})

test('status tells a first run that has not ended, also before it has begun to write', () => {
  using tree = new TemporaryTree().write({ 'a.txt': '' })
  const statusOf = () => semantica(['status', tree.path]).stdout
  expect(semantica(['index', tree.path]).status).toBe(0)
  expect(statusOf()).toMatch(/nothing indexed\n {2}complete\n$/)
  // What is there when it is killed before that.
  const index = new Connection(join(tree.path, '.semantica/index.db'))
  index.exec("DELETE FROM facts WHERE name = 'last_summary'")
  index.close()
  expect(statusOf()).toMatch(/nothing indexed\n {2}a run is going on, or was stopped before it was done: /)
  const { stdout } = semantica(['status', tree.path, '--json'])
  expect(JSON.parse(stdout)).toMatchObject({ run_open: true, last_run: null })
  // Though there is nothing left to do.
  expect(semantica(['index', tree.path]).status).toBe(0)
  expect(statusOf()).toMatch(/complete\n$/)
})

test('without an index, search and status say what to do', () => {
  using tree = new TemporaryTree()
  for (const commandLine of [
    ['search', 'x', tree.path],
    ['status', tree.path],
  ]) {
    const { status, stderr } = semantica(commandLine)
    expect(status).toBe(2)
    expect(stderr).toContain(`semantica index ${tree.path}`)
  }
})

test('one state folder cannot serve two directories, but moves with its own', () => {
  using tree = new TemporaryTree().write({ 'one/a.ts': 'const a = 1', 'two/b.ts': 'const b = 1' })
  const state = join(tree.path, 'state')
  const one = join(tree.path, 'one')
  const two = join(tree.path, 'two')
  expect(semantica(['index', one, '--state', state]).status).toBe(0)
  for (const commandLine of [['index'], ['search', 'a'], ['status']]) {
    const { status, stderr } = semantica([...commandLine, two, '--state', state])
    expect(status).toBe(2)
    expect(stderr).toContain(`${state} holds the index of ${one}, not of ${two}`)
  }
  expect(semantica(['search', 'a', one, '--state', state]).status).toBe(0)
  // Neither is the state of a folder that of the one around it.
  mkdirSync(join(one, 'inner'))
  expect(semantica(['index', join(one, 'inner')]).status).toBe(0)
  const around = semantica(['index', one, '--state', join(one, 'inner', '.semantica')])
  expect(around).toMatchObject({ status: 2, stderr: expect.stringContaining('holds the index of') })

  expect(semantica(['index', two]).status).toBe(0)
  const moved = join(tree.path, 'moved')
  renameSync(two, moved)
  expect(semantica(['search', 'b', moved]).status).toBe(0)
  expect(JSON.parse(semantica(['index', moved, '--json']).stdout)).toMatchObject({ unchanged: 1, indexed: 0 })
})

test('a state folder that cannot be made is refused', () => {
  using tree = new TemporaryTree().write({ 'a.ts': '' })
  const { status, stderr } = semantica(['index', tree.path, '--state', '/proc/semantica'])
  expect(status).toBe(2)
  expect(stderr).toContain('PATH_INVALID')
})

test('a state folder that holds something else is refused, and stays as it is', () => {
  using tree = new TemporaryTree().write({ 'src/a.ts': 'function a() {}' })
  for (const state of ['src', '.']) {
    const { status, stderr } = semantica(['index', '.', '--state', state], tree.path)
    expect(status).toBe(2)
    expect(stderr).toContain('it holds other files already')
  }
  expect(existsSync(join(tree.path, 'src/.gitignore'))).toBe(false)
})

test('a state folder that is a file is refused', () => {
  using tree = new TemporaryTree().write({ 'a.ts': '', '.semantica': 'a file' })
  const { status, stderr } = semantica(['index', tree.path])
  expect(status).toBe(2)
  expect(stderr).toContain('PATH_INVALID')
})

test('search prints path:line: text as seen from the current directory, and status sums up', async () => {
  using tree = new TemporaryTree().write({
    'src/a.ts': '\nexport function find\u0007me() {}\nfunction findme() {}',
  })
  await using indexer = new DirectIndexer(tree.path)
  await indexer.index()
  expect(semantica(['search', 'findme'], tree.path)).toEqual({
    status: 0,
    stdout: 'src/a.ts:3: function findme() {}\n',
    stderr: '',
  })
  mkdirSync(join(tree.path, 'deep'))
  expect(semantica(['search', 'findme', '..'], join(tree.path, 'deep')).stdout).toBe(
    '../src/a.ts:3: function findme() {}\n',
  )
  const json = semantica(['search', 'findme', tree.path, '--json'])
  expect(JSON.parse(json.stdout)).toMatchObject([
    { path: 'src/a.ts', line: 3, name: 'findme', kind: 'function' },
  ])
  expect(semantica(['search', 'nothing', tree.path])).toMatchObject({ status: 1, stdout: '' })
  expect(JSON.parse(semantica(['status', tree.path, '--json']).stdout)).toMatchObject({
    files: 1,
    languages: { typescript: 1 },
    run_open: false,
  })
})

test('an index that is no database is reported with the way out', () => {
  using tree = new TemporaryTree()
  mkdirSync(join(tree.path, '.semantica'))
  writeFileSync(join(tree.path, '.semantica/index.db'), 'text that is no database '.repeat(100))
  const { status, stderr } = semantica(['search', 'x', tree.path])
  expect(status).toBe(2)
  expect(stderr).toContain('DATABASE_CORRUPT')
  expect(stderr).toContain('Delete the file')
})

test('control characters are not printed', () => {
  expect(printable('a\u001b[31m\tb\n')).toBe('a\uFFFD[31m b\uFFFD')
})
