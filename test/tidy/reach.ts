import { posix } from 'node:path'
import { type Finding, isWithin, targetOf } from './findings.ts'
import type { Source } from './source.ts'

/** The three public doors: what they export is for users. */
const doors: readonly string[] = ['src/index.ts', 'src/jobs.ts', 'src/client.ts']

/** Where the product starts: doors, the command, thread entries, and the bench. */
const starts: readonly string[] = [...doors, 'src/cli/semantica.ts', 'workers/', 'bench/main.ts']

/** Loaded by name or by path, as a user's modules are. */
const loadedByName: readonly string[] = [
  'test/fixtures/',
  'test/tidy/leaks/',
  'test/leak-guard.ts',
  'bench/peers/',
]

/** Every file is reached from where the product starts; in bench and test being named somewhere is enough. */
export function checkDeadFiles(sources: readonly Source[]): Finding[] {
  const fromProduct = reachableFrom(sources, ({ path }) => isWithin(path, starts))
  const fromAll = reachableFrom(
    sources,
    ({ path }) => isWithin(path, [...starts, ...loadedByName]) || /\.(?:test|config)\.ts$/.test(path),
  )
  return sources.flatMap((source) => {
    const isProduct = source.path.startsWith('src/')
    if (isProduct ? fromProduct.has(source.path) : fromAll.has(source.path)) return []
    if (!isProduct && isNamed(source, sources)) return []
    const who = isProduct ? 'nothing of the product' : 'nothing'
    return [{ path: source.path, line: 0, text: `dead file: ${who} imports it` }]
  })
}

function reachableFrom(sources: readonly Source[], isStart: (source: Source) => boolean): Set<string> {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const waiting = sources.filter(isStart)
  const reached = new Set(waiting.map(({ path }) => path))
  for (let source = waiting.pop(); source !== undefined; source = waiting.pop()) {
    for (const one of source.imports) {
      const target = byPath.get(targetOf(source, one) ?? '')
      if (target !== undefined && !reached.has(target.path)) {
        reached.add(target.path)
        waiting.push(target)
      }
    }
  }
  return reached
}

/** Whether another file has this one's name in a string: a child process, or a module loaded by its path. */
function isNamed({ path }: Source, sources: readonly Source[]): boolean {
  const name = posix.basename(path)
  return sources.some(
    (other) => other.path !== path && [...other.strings].some((text) => text.endsWith(name)),
  )
}

/**
 * Every export is imported somewhere, or is for users. A type that its own file uses may be exported: it is part of
 * the signature of something else.
 */
export function checkDeadExports(sources: readonly Source[]): Finding[] {
  const imported = new Map<string, Set<string>>()
  for (const source of sources) {
    for (const one of source.imports) {
      const target = targetOf(source, one)
      if (target === undefined) continue
      const names = imported.get(target) ?? new Set()
      for (const name of one.names) names.add(name)
      imported.set(target, names)
    }
  }
  return sources
    .filter(({ path }) => !isWithin(path, [...doors, ...loadedByName, 'workers/']))
    .flatMap(({ path, exports, identifiers }) => {
      const names = imported.get(path) ?? new Set()
      return exports
        .filter(({ name, typeOnly }) => {
          const isSignature = typeOnly && (identifiers.get(name) ?? 0) > 1
          return name !== 'default' && !names.has(name) && !names.has('*') && !isSignature
        })
        .map(({ name, line }) => ({ path, line, text: `dead export: nothing imports ${name}` }))
    })
}
