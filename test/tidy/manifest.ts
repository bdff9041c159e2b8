import { type Finding, packageOf } from './findings.ts'
import type { Source } from './source.ts'

/** The part of package.json that the rule reads. */
export interface Manifest {
  readonly bin?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  /** What the product loads where it is installed, and can do without. */
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** Tools that are called, not imported, with the word by which scripts call them. */
const commands: Readonly<Record<string, RegExp>> = {
  '@biomejs/biome': /\bbiome\b/,
  typescript: /\btsc\b/,
  node: /\bnode\b/,
}

/** What is declared is used, what is used is declared, and what is published is built from something. */
export function checkManifest(manifest: Manifest, sources: readonly Source[]): Finding[] {
  return [...unused(manifest, sources), ...undeclared(manifest, sources), ...unbuilt(manifest, sources)].map(
    (text) => ({ path: 'package.json', line: 0, text }),
  )
}

function isProduct({ path }: Source): boolean {
  return path.startsWith('src/') || path.startsWith('workers/')
}

function unused(
  { dependencies = {}, devDependencies = {}, peerDependencies = {}, scripts = {} }: Manifest,
  sources: readonly Source[],
) {
  const product = namedPackages(sources.filter(isProduct))
  const other = namedPackages(sources.filter((source) => !isProduct(source)))
  const called = Object.values(scripts).join('\n')
  const isUsedInDevelopment = (name: string): boolean => {
    const typed = name.startsWith('@types/') ? name.slice('@types/'.length) : undefined
    if (typed !== undefined) return typed === 'node' || typed in dependencies || typed in devDependencies
    return other.has(name) || name in peerDependencies || commands[name]?.test(called) === true
  }
  return [
    ...Object.keys(dependencies)
      .filter((name) => !product.has(name))
      .map((name) => `dependency ${name} is used nowhere in src: remove it`),
    ...Object.keys(peerDependencies)
      .filter((name) => !product.has(name))
      .map((name) => `peerDependency ${name} is used nowhere in src: remove it`),
    ...Object.keys(devDependencies)
      .filter((name) => !isUsedInDevelopment(name))
      .map((name) => `devDependency ${name} is used nowhere: remove it`),
  ]
}

/** Packages that are imported, or resolved by a string. */
function namedPackages(sources: readonly Source[]): Set<string> {
  return new Set(sources.flatMap(({ strings }) => [...strings].map((text) => packageOf(text) ?? '')))
}

function undeclared(
  { dependencies = {}, devDependencies = {}, peerDependencies = {} }: Manifest,
  sources: readonly Source[],
): string[] {
  return sources.flatMap((source) => {
    const product = { ...dependencies, ...peerDependencies }
    const declared = isProduct(source) ? product : { ...product, ...devDependencies }
    return source.imports.flatMap(({ specifier, kind, line, typeOnly }) => {
      const name = kind === 'import' ? packageOf(specifier) : undefined
      if (name === undefined || name === '' || name in declared) return []
      if (typeOnly && `@types/${name}` in declared) return []
      const where = isProduct(source) ? 'dependencies' : 'dependencies or devDependencies'
      return [`${source.path}:${line} imports ${name}, which is not among ${where}`]
    })
  })
}

function unbuilt({ bin = {}, exports = {} }: Manifest, sources: readonly Source[]): string[] {
  const paths = new Set(sources.map(({ path }) => path))
  const published = Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? [target] : Object.values(target),
  )
  return [...new Set([...Object.values(bin), ...published])]
    .filter((target) => target !== './package.json')
    .filter(
      (target) => !paths.has(target.replace(/^(?:\.\/)?dist\//, '').replace(/(?:\.d\.ts|\.js)$/, '.ts')),
    )
    .map((target) => `${target} is published, but there is no source for it`)
}
