import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import onlyOk from '../fixtures/jobs/only-ok.ts'
import { TemporaryTree } from '../indexer/direct-indexer.ts'

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** A process, and its lines of output as they come, whichever stream they come from. */
function start(script: string, commandLine: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [script, ...commandLine], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  })
  const lines: string[] = []
  let checks: (() => void)[] = []
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => {
      lines.push(line)
      for (const check of checks) check()
    })
  }
  const ended = once(child, 'close').then(([status, signal]) => ({ status, signal, lines }))
  /** Resolves when a line holds this text; rejects when none will. */
  const says = (text: string): Promise<void> => {
    const said = new Promise<void>((resolve) => {
      const check = () => {
        if (lines.some((line) => line.includes(text))) resolve()
      }
      checks = [...checks, check]
      check()
    })
    const never = ended.then(() => {
      if (!lines.some((line) => line.includes(text)))
        throw new Error(`never said ${text}: ${lines.join('\n')}`)
    })
    return Promise.race([said, never])
  }
  return { child, ended, says }
}

test.each([
  ['SIGINT', 'SIGINT'],
  ['SIGINT', 'SIGTERM'],
  ['SIGTERM', 'SIGTERM'],
  ['SIGTERM', 'SIGINT'],
] as const)('%s, then %s: the second ends the process at once, and nothing is lost', async (first, second) => {
  const folder = mkdtempSync(join(tmpdir(), 'interruption-'))
  try {
    const database = join(folder, 'tasks.db')
    const { child, ended, says } = start(pathOf('../fixtures/cli/busy-engine.ts'), [database])
    await says('busy')
    child.kill(first)
    await says('semantica: stopping; again to end at once')
    child.kill(second)
    const { status, signal, lines } = await ended
    expect({ status, signal }).toEqual({ status: 130, signal: null })
    expect(lines).not.toContain('stopped')
    // The lock is free, and both jobs are there: one to run, the other for an engine that knows its type.
    await using engine = await Engine.start({ jobs: onlyOk, database, threads: 1, logLevel: 'silent' })
    await engine.idle()
    expect((await engine.list({ jobType: 'OK' })).jobs).toMatchObject([{ state: 'DONE', result: 'waits' }])
    expect((await engine.list({ jobType: 'SPINS_FOREVER' })).jobs).toMatchObject([
      { state: 'SCHEDULED', waitsFor: 'handler' },
    ])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s while git lists the files ends the run', async (signal) => {
  using tree = new TemporaryTree().write({ 'a.ts': 'function a() {}' })
  using programs = new TemporaryTree()
  const begun = join(programs.path, 'begun')
  programs.write({ git: `#!/bin/sh\n: > '${begun}'\nexec sleep 600\n` })
  chmodSync(join(programs.path, 'git'), 0o755)
  const isListing = new Promise<void>((resolve) => {
    const watcher = watch(programs.path, () => {
      if (!existsSync(begun)) return
      watcher.close()
      resolve()
    })
  })
  const { child, ended } = start(pathOf('../../src/cli/semantica.ts'), ['index', tree.path], {
    PATH: `${programs.path}${delimiter}${process.env.PATH}`,
  })
  await isListing
  child.kill(signal)
  const { status, lines } = await ended
  expect(status).toBe(130)
  expect(lines.at(-1)).toContain('run the same command to go on')
})
