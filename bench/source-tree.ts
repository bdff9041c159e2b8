/**
 * A tree of real sources, copied from what is installed here: npm packages, Debian's Python and Go sources. Files keep
 * their names, folders and times, and are tracked by git, as those of a checkout are.
 */
import { isUtf8 } from 'node:buffer'
import { execFileSync } from 'node:child_process'
import { globSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { defaultMaxFileBytes } from '../src/indexer/index-directory.ts'
import { type Language, languageOf } from '../src/indexer/language.ts'

/** Where sources of one kind may be, and what brings them. */
interface Origin {
  readonly name: string
  readonly folders: readonly string[]
  readonly languages: readonly Language[]
  /** More than this is thinned out evenly, so that no language outweighs the others. */
  readonly maxBytes: number
  readonly packages: string
}

const origins: readonly Origin[] = [
  {
    name: 'npm',
    folders: [resolve(import.meta.dirname, '../node_modules')],
    languages: ['typescript', 'tsx', 'javascript'],
    maxBytes: 25_000_000,
    packages: 'npm ci',
  },
  {
    name: 'python',
    folders: ['/usr/lib/python3/dist-packages', '/usr/lib/python3.*'],
    languages: ['python'],
    maxBytes: 22_000_000,
    packages: 'apt-get install python3 python3-django',
  },
  {
    name: 'go',
    folders: ['/usr/share/gocode/src', '/usr/share/go-*/src', '/usr/lib/go-*/src', '/usr/local/go/src'],
    languages: ['go'],
    maxBytes: 15_000_000,
    packages: 'apt-get install golang-src golang-google-grpc-dev golang-golang-x-tools-dev',
  },
]

const minFiles = 5_000
const minBytes = 40_000_000

/** To show that it works, a few files of one package do, whatever else is installed. */
const smokeOrigin: Origin = {
  name: 'npm',
  folders: [resolve(import.meta.dirname, '../node_modules/zod')],
  languages: ['typescript', 'javascript'],
  maxBytes: 200_000,
  packages: 'npm ci',
}

interface SourceFile {
  /** Where it is now. */
  readonly from: string
  /** Where it is to be, below the tree. */
  readonly path: string
  readonly language: Language
  readonly bytes: number
}

export interface SourceTree {
  readonly root: string
  /** Relative to the root, largest first, as the indexer takes them. */
  readonly paths: readonly string[]
  readonly bytes: number
  /** For people: what the tree is made of. */
  readonly contents: Readonly<Record<string, { readonly files: number; readonly mb: number }>>
}

/**
 * Copies a tree that the indexer indexes whole: nothing in it is too large, binary or of another language.
 *
 * @throws when less is installed here than a measurement needs, naming the packages
 */
export function copySourceTree(root: string, isSmoke: boolean): SourceTree {
  const wanted = (isSmoke ? [smokeOrigin] : origins).flatMap((origin) =>
    thinOut(findSources(origin), origin.maxBytes),
  )
  const files = wanted.filter((file) => copy(root, file))
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  if (!isSmoke && (files.length < minFiles || bytes < minBytes)) {
    const found = origins.map(({ name, packages }) => {
      const count = files.filter(({ path }) => path.startsWith(`${name}/`)).length
      return `  ${name}: ${count} files; more come with: ${packages}`
    })
    throw new Error(
      `There are ${files.length} source files of ${megabytes(bytes)} MB here; the scenario needs ` +
        `${minFiles} of ${megabytes(minBytes)} MB.\n${found.join('\n')}`,
    )
  }
  track(root)
  files.sort((one, other) => other.bytes - one.bytes)
  return { root, paths: files.map(({ path }) => path), bytes, contents: contentsOf(files) }
}

function findSources({ name, folders, languages }: Origin): SourceFile[] {
  const found: SourceFile[] = []
  for (const [place, folder] of folders.flatMap((pattern) => globSync(pattern).sort()).entries()) {
    for (const inside of globSync('**/*.*', { cwd: folder }).sort()) {
      const language = languageOf(inside)
      if (language === undefined || !languages.includes(language)) continue
      const from = join(folder, inside)
      const stats = statSync(from, { throwIfNoEntry: false })
      if (stats?.isFile() !== true || stats.size > defaultMaxFileBytes) continue
      found.push({ from, path: join(name, String(place), inside), language, bytes: stats.size })
    }
  }
  return found
}

/** Every so-manieth file, so that what is left is like the whole. */
function thinOut(files: readonly SourceFile[], maxBytes: number): SourceFile[] {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const share = Math.min(1, maxBytes / Math.max(1, bytes))
  return files.filter((_, index) => Math.floor((index + 1) * share) > Math.floor(index * share))
}

/** False: the indexer would not take it for a source. */
function copy(root: string, { from, path }: SourceFile): boolean {
  const content = readFileSync(from)
  if (!isUtf8(content) || content.includes(0)) return false
  const target = join(root, path)
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, content)
  const { atime, mtime } = statSync(from)
  utimesSync(target, atime, mtime)
  return true
}

/** Also keeps the ignore rules of the clone, in which the tree stands, away from it. */
function track(root: string): void {
  for (const words of [
    ['init', '--quiet'],
    ['add', '--all', '--force'],
  ]) {
    try {
      execFileSync('git', words, { cwd: root, stdio: 'ignore' })
    } catch (error) {
      // Where there is no git, the tree is walked, and no rules are in the way.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
      throw error
    }
  }
}

function contentsOf(files: readonly SourceFile[]): SourceTree['contents'] {
  const languages = [...new Set(files.map(({ language }) => language))].sort()
  return Object.fromEntries(
    languages.map((language) => {
      const those = files.filter((file) => file.language === language)
      return [
        language,
        { files: those.length, mb: megabytes(those.reduce((sum, file) => sum + file.bytes, 0)) },
      ]
    }),
  )
}

export function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10
}
