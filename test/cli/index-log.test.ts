/** What `semantica index` logs, and where. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { TemporaryTree } from '../indexer/direct-indexer.ts'
import { parseLog } from '../telemetry/logging-process.ts'

const command = fileURLToPath(new URL('../../src/cli/semantica.ts', import.meta.url))

const files = { 'a.ts': 'function a() {}', 'b.ts': 'function b() {}' }

async function index(tree: TemporaryTree, environment: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [command, 'index', tree.path, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SEMANTICA_LOG_FORMAT: 'json', ...environment },
  })
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  expect(status).toBe(0)
  // Whatever is logged, the output stays what a program reads.
  expect(JSON.parse(stdout)).toMatchObject({ files: 2, indexed: 2 })
  return parseLog(stderr)
}

test('at level info every transition', async () => {
  using tree = new TemporaryTree().write(files)
  const lines = await index(tree, { SEMANTICA_LOG_LEVEL: 'info' })
  const done = lines.filter(({ fields }) => fields.state === 'DONE')
  expect(done.map(({ fields }) => fields.job_type)).toEqual(['INDEX_FILE', 'INDEX_FILE'])
})

test('by itself nothing of a run without trouble, and at level info no more than the environment wants', async () => {
  using tree = new TemporaryTree().write(files)
  expect(await index(tree, {})).toEqual([])
  using other = new TemporaryTree().write(files)
  const environment = { SEMANTICA_LOG_LEVEL: 'info', SEMANTICA_LOG_TRANSITIONS: 'failures' }
  expect(await index(other, environment)).toEqual([])
})

const hasScript = spawnSync('script', ['--version']).status === 0

test.skipIf(!hasScript || process.platform !== 'linux')(
  'on a terminal the progress makes way for each line, and comes again below',
  async () => {
    using tree = new TemporaryTree().write(files)
    const words = [process.execPath, command, 'index', tree.path].map((word) => `'${word}'`).join(' ')
    const child = spawn('script', ['-qec', words, '/dev/null'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, SEMANTICA_LOG_LEVEL: 'info', NO_COLOR: '1' },
    })
    const [shown] = await Promise.all([text(child.stdout), once(child, 'close')])
    const lines = shown.split('\r\n').filter((line) => line.includes('INDEX_FILE'))
    expect(lines.length).toBeGreaterThanOrEqual(4)
    // A line begins at the left, where what stood before it has been cleared.
    const cleared = '\u001b[1G\u001b[2K'
    for (const line of lines) {
      const begin = line.slice(0, line.search(/\d\d:\d\d:\d\d\.\d{3} INFO {2}semantica/))
      expect(begin === '' || begin.endsWith(cleared)).toBe(true)
    }
    expect(shown).toContain('2 files: 2 indexed')
  },
)
