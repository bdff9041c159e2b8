/**
 * Goal: what a user installs works. Method: the package is packed, installed in an empty folder with the npm at hand, and
 * used there as the README says: its command on a real tree, and its examples as they stand.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
// The Node that runs the tests comes first, so that npm and the installed command use it.
const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`
let folder = ''
let env: NodeJS.ProcessEnv = {}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'installed-'))
  // npm leaves a compile cache in the temporary folder: here it goes with the rest.
  env = { ...process.env, PATH: path, TMPDIR: folder }
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: root,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  )
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  execFileSync('npm', ['install', '--no-audit', '--no-fund', join(folder, packed.filename)], {
    cwd: folder,
    env,
    stdio: 'ignore',
  })
}, 240_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function installed(): string {
  return join(folder, 'node_modules/semantica-task-engine')
}

/** What a built file imports before it runs: files of the package, itself among them, and libraries. */
function importsOf(entry: string) {
  const files = new Set([entry])
  const libraries = new Set<string>()
  for (const file of files) {
    for (const [, from = ''] of readFileSync(file, 'utf8').matchAll(
      /^(?:import|export) (?:.+ from )?"(.+)";$/gm,
    )) {
      if (from.startsWith('.')) files.add(resolve(dirname(file), from))
      else libraries.add(from)
    }
  }
  return { files, libraries }
}

test('the command indexes a tree and finds what is in it', () => {
  const tree = join(folder, 'tree')
  mkdirSync(tree)
  writeFileSync(join(tree, 'shapes.ts'), 'export class Circle {\n  area(): number {\n    return 3\n  }\n}\n')
  writeFileSync(join(tree, 'tools.py'), 'def measure(circle):\n    return circle.area()\n')
  const command = join(folder, 'node_modules/.bin/semantica')

  const indexed = spawnSync(command, ['index', tree, '--json'], { env, encoding: 'utf8' })
  expect(indexed.stderr).toBe('')
  expect(JSON.parse(indexed.stdout)).toMatchObject({ files: 2, indexed: 2, failed: 0, symbols: 3 })

  const found = spawnSync(command, ['search', 'measure', tree], { env, encoding: 'utf8' })
  expect(found.stdout).toMatch(/tools\.py:1: def measure\(circle\):\n$/)
})

test('the embedding example of the README runs as it stands', () => {
  writeExamples('jobs.ts', 'host.ts')
  const run = spawnSync(process.execPath, ['host.ts'], { cwd: folder, env, encoding: 'utf8' })
  expect(run.stderr).toBe('')
  expect(run.stdout).toMatch(/^job_[0-9a-z]{8}_1 \{\s*sha256:\s*'[0-9a-f]{64}'\s*\}\n$/)
  expect(existsSync(join(folder, 'tasks.db'))).toBe(true)
})

test('the actor example of the README runs as it stands', () => {
  writeExamples('counter.ts', 'jobs.ts')
  writeFileSync(
    join(folder, 'count.ts'),
    `import { Engine } from 'semantica-task-engine'
import counter from './counter.ts'
import jobs from './jobs.ts'
await using engine = await Engine.start({
  jobs, database: 'count.db', threads: 1, actors: { counter: { module: counter, options: { from: 100 } } },
})
console.log(await engine.actor('counter').ask(1))`,
  )
  const run = spawnSync(process.execPath, ['count.ts'], { cwd: folder, env, encoding: 'utf8' })
  expect(run.stderr).toBe('')
  expect(run.stdout).toBe('101\n')
})

test('the configuration example of the README runs as it stands', () => {
  writeExamples('semantica.config.ts')
  const command = join(folder, 'node_modules/.bin/semantica')
  const run = spawnSync(command, ['config', '--json'], { cwd: folder, env, encoding: 'utf8' })
  expect(run.stderr).toBe('')
  const { file, settings }: { file: string; settings: { name: string; value: unknown }[] } = JSON.parse(
    run.stdout,
  )
  expect(file).toBe(join(folder, 'semantica.config.ts'))
  expect(settings).toContainEqual(expect.objectContaining({ name: 'threads', value: 4, source: file }))
})

test('a thread loads the libraries of its own work only, from few files', () => {
  const threads = [
    'workers/supervisor',
    'workers/pool-thread',
    'workers/actor',
    'workers/reader',
    'src/index',
    'src/jobs',
  ]
  const loads = Object.fromEntries(
    threads.map((entry) => {
      const { files, libraries } = importsOf(join(installed(), 'dist', `${entry}.js`))
      return [entry, { isFew: files.size <= 12, libraries: [...libraries].sort() }]
    }),
  )
  const onlyOwn = { isFew: true, libraries: [] }
  expect(loads).toEqual({
    'workers/supervisor': { isFew: true, libraries: ['piscina'] },
    'workers/pool-thread': onlyOwn,
    'workers/actor': onlyOwn,
    'workers/reader': { isFew: true, libraries: ['better-sqlite3'] },
    'src/index': onlyOwn,
    'src/jobs': onlyOwn,
  })
})

test('no file of it has all names of a module of Node made', () => {
  const dist = join(installed(), 'dist')
  const files = globSync('**/*.js', { cwd: dist })
  expect(files).toContain(join('workers', 'supervisor.js'))
  const whole = files.filter((file) =>
    / from "node:|^import "node:/m.test(readFileSync(join(dist, file), 'utf8')),
  )
  expect(whole).toEqual([])
})

test('the door without native code loads alone', () => {
  const script = `const { jobStates, errorRegistry } = await import('semantica-task-engine/client')
    console.log(jobStates.length, errorRegistry.OVERLOADED.retryable)`
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: folder,
    env,
    encoding: 'utf8',
  })
  expect(run.stdout).toBe('9 true\n')
})

/** Writes the README's code blocks that begin with `// <name>` under their names. */
function writeExamples(...names: string[]): void {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  for (const name of names) {
    const block = readme.split('```ts\n').find((part) => part.startsWith(`// ${name}\n`))
    if (block === undefined) throw new Error(`README.md has no example ${name}`)
    writeFileSync(join(folder, name), block.slice(0, block.indexOf('```')))
  }
}
