import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { gitFolders } from './git-files.ts'

/** One file of ignore rules, and the folder that its patterns are relative to. */
interface RuleFile {
  readonly folder: string
  readonly rules: Ignore
}

/** The rules that hold in a folder, outermost first. */
export type IgnoreRules = readonly RuleFile[]

/**
 * The rules that hold at `folder` from outside of it: `.git/info/exclude` and the .gitignore files from the repository's
 * root down. None when `folder` is not in a repository. Patterns that ignore `folder` itself are left out: it was named.
 */
export async function rulesAround(folder: string): Promise<IgnoreRules> {
  const git = await gitFolders(folder)
  if (git === undefined) return []
  const root = resolve(git.root)
  const exclude = join(resolve(folder, git.gitFolder), 'info', 'exclude')
  return [
    ...rulesOf(exclude, root, folder),
    ...foldersBetween(root, folder).flatMap((outer) => rulesOf(join(outer, '.gitignore'), outer, folder)),
  ]
}

/** What the .gitignore file of `folder` says, if there is one. */
export function rulesIn(folder: string): IgnoreRules {
  return rulesOf(join(folder, '.gitignore'), folder)
}

/** The patterns of one file, but for those that ignore `named`. */
function rulesOf(path: string, folder: string, named?: string): IgnoreRules {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    // No such file, or one that git could not read either.
    return []
  }
  if (named === undefined) return [{ folder, rules: ignore().add(text) }]
  const inside = `${toSlashes(relative(folder, named))}/`
  const lines = text.split(/\r?\n/).filter((line) => !ignore().add(line).ignores(inside))
  return [{ folder, rules: ignore().add(lines) }]
}

/** Whether the rules ignore this path: the innermost file that has a word on it decides. */
export function isIgnored(rules: IgnoreRules, path: string, isFolder: boolean): boolean {
  for (let index = rules.length - 1; index >= 0; index--) {
    const file = rules[index]
    if (file === undefined) continue
    const inside = relative(file.folder, path)
    if (inside === '' || inside.startsWith('..')) continue
    const verdict = file.rules.test(toSlashes(inside) + (isFolder ? '/' : ''))
    if (verdict.ignored) return true
    if (verdict.unignored) return false
  }
  return false
}

/** From `root` down to the parent of `folder`; nothing when `folder` is the root or outside of it. */
function foldersBetween(root: string, folder: string): readonly string[] {
  const folders: string[] = []
  if (folder === root || !folder.startsWith(root + sep)) return folders
  for (let at = dirname(folder); at.length >= root.length; at = dirname(at)) {
    folders.unshift(at)
    if (at === root) break
  }
  return folders
}

function toSlashes(path: string): string {
  return sep === '/' ? path : path.replaceAll(sep, '/')
}
