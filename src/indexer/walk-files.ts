import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { nextTurn } from '../clock.ts'
import { type IgnoreRules, isIgnored, rulesAround, rulesIn } from './ignore-rules.ts'

/** How many folders are read before other work of the thread gets its turn. */
const foldersPerTurn = 50

export interface WalkedFiles {
  /** Relative to the folder, with slashes. */
  readonly paths: readonly string[]
  /** Folders that could not be read, with the reason. What is in them is unknown, not gone. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[]
}

/**
 * All files below `folder` that ignore rules do not leave out. Links are not followed, so loops of links do no harm.
 * Folders are read synchronously: ten times as fast as through the thread pool, when they are in the cache.
 */
export async function walkFiles(
  folder: string,
  mayEnter: (path: string) => boolean,
  signal?: AbortSignal,
): Promise<WalkedFiles> {
  const paths: string[] = []
  const unreadable: { path: string; reason: string }[] = []
  const pending: { path: string; rules: IgnoreRules }[] = [{ path: '', rules: await rulesAround(folder) }]
  for (let count = 1; ; count++) {
    const next = pending.pop()
    if (next === undefined) return { paths, unreadable }
    if (count % foldersPerTurn === 0) {
      await nextTurn()
      signal?.throwIfAborted()
    }
    const absolute = join(folder, next.path)
    const entries = readFolder(absolute)
    if (!Array.isArray(entries)) {
      unreadable.push({ path: `${next.path}/`, reason: entries.reason })
      continue
    }
    const hasRules = entries.some((entry) => entry.name === '.gitignore')
    const rules = hasRules ? [...next.rules, ...rulesIn(absolute)] : next.rules
    for (const entry of entries) {
      const isFolder = entry.isDirectory()
      if (!isFolder && !entry.isFile()) continue
      const path = next.path === '' ? entry.name : `${next.path}/${entry.name}`
      if (isFolder && !mayEnter(path)) continue
      if (rules.length > 0 && isIgnored(rules, join(absolute, entry.name), isFolder)) continue
      if (isFolder) pending.push({ path, rules })
      else paths.push(path)
    }
  }
}

function readFolder(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true })
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) }
  }
}
