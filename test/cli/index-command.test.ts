import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { hasOpenRun } from '../../src/indexer/index-snapshot.ts'
import { TemporaryTree } from '../indexer/direct-indexer.ts'

const command = fileURLToPath(new URL('../../src/cli/semantica.ts', import.meta.url))

function start(...commandLine: readonly string[]) {
  const child = spawn(process.execPath, [command, ...commandLine], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const ended = once(child, 'close').then(([status]) => ({ status, stdout, stderr }))
  return { child, ended }
}

/** Real sources: a package that ships them. */
function plantSources(tree: TemporaryTree): void {
  const folder = dirname(createRequire(import.meta.url).resolve('zod/package.json'))
  cpSync(join(folder, 'src'), join(tree.path, 'src'), { recursive: true })
  mkdirSync(join(tree.path, '.semantica'), { recursive: true })
}

/** Resolves once the run's jobs are being written. */
async function whenUnderWay(tree: TemporaryTree): Promise<void> {
  const path = join(tree.path, '.semantica/index.db')
  const { watch } = await import('node:fs/promises')
  for await (const _change of watch(join(tree.path, '.semantica'))) if (hasOpenRunSafely(path)) return
}

function hasOpenRunSafely(path: string): boolean {
  try {
    return hasOpenRun(path)
  } catch {
    // Half made.
    return false
  }
}

test('--json prints one object with the promised keys', async () => {
  using tree = new TemporaryTree().write({ 'a.ts': 'function a() {}', 'b.txt': '' })
  const { status, stdout, stderr } = await start('index', tree.path, '--json').ended
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const summary: Record<string, unknown> = JSON.parse(stdout)
  expect(Object.keys(summary).slice(0, 9)).toEqual([
    'files',
    'indexed',
    'unchanged',
    'skipped',
    'failed',
    'removed',
    'symbols',
    'bytes',
    'elapsed_ms',
  ])
  expect(summary).toMatchObject({
    files: 2,
    indexed: 1,
    skipped: 1,
    skipped_by: { 'no-grammar': 1 },
    symbols: 1,
  })
  expect(stdout.trim().split('\n')).toHaveLength(1)
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s stops gracefully, and the next run goes on', async (signal) => {
  using tree = new TemporaryTree()
  plantSources(tree)
  const { child, ended } = start('index', tree.path)
  await whenUnderWay(tree)
  child.kill(signal)
  const { status, stderr } = await ended
  expect(status).toBe(130)
  expect(stderr).toContain('run the same command to go on')
  const next = await start('index', tree.path, '--json').ended
  expect(next.status).toBe(0)
  expect(JSON.parse(next.stdout)).toMatchObject({ failed: 0, interrupted: false })
  expect(hasOpenRun(join(tree.path, '.semantica/index.db'))).toBe(false)
})

test('a second run on the same directory is refused, naming the first', async () => {
  using tree = new TemporaryTree()
  plantSources(tree)
  const first = start('index', tree.path, '--json')
  await whenUnderWay(tree)
  // Or it may have ended before the second has looked.
  first.child.kill('SIGSTOP')
  const second = await start('index', tree.path, '--json').ended
  first.child.kill('SIGCONT')
  expect(second.status).toBe(2)
  expect(second.stderr).toContain('DATABASE_LOCKED')
  expect((await first.ended).status).toBe(0)
})
