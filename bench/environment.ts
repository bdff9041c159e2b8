import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/clock.ts'
import type { Durability } from '../src/config.ts'
import { openWriter } from '../src/store/open.ts'

const pragmas = [
  'journal_mode',
  'synchronous',
  'page_size',
  'auto_vacuum',
  'cache_size',
  'wal_autocheckpoint',
  'foreign_keys',
  'temp_store',
  'mmap_size',
] as const

/** On what the figures were found. */
export function describeEnvironment(durability: Durability, folder: string): Record<string, unknown> {
  const database = openWriter({ path: join(folder, 'environment.db'), durability })
  try {
    return {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      memory_mb: Math.round(totalmem() / 1e6),
      system: `${type()} ${release()}`,
      node: process.versions.node,
      sqlite: database.prepare('SELECT sqlite_version()').pluck().get(),
      durability,
      pragmas: Object.fromEntries(pragmas.map((name) => [name, database.pragma(name, { simple: true })])),
      commit: describeCommit(),
      date: new Date(systemClock.wallMs()).toISOString(),
    }
  } finally {
    database.close()
  }
}

/** `dirty` when the tree holds changes that no commit has. */
function describeCommit(): string {
  try {
    const git = (...words: string[]) =>
      execFileSync('git', words, {
        cwd: import.meta.dirname,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
    const commit = git('rev-parse', '--short=12', 'HEAD').trim()
    return git('status', '--porcelain') === '' ? commit : `${commit}, dirty`
  } catch {
    return 'unknown'
  }
}
