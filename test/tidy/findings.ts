import { posix } from 'node:path'
import type { Import, Source } from './source.ts'

/** One thing that is out of place. */
export interface Finding {
  readonly path: string
  /** 0 when it concerns the file as a whole. */
  readonly line: number
  readonly text: string
}

export function print({ path, line, text }: Finding): string {
  return line === 0 ? `${path}: ${text}` : `${path}:${line}: ${text}`
}

/** Whether `path` is one of `places` or below one that ends in `/`. */
export function isWithin(path: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place))
}

/** The path of the file that a relative import names; undefined for a package. */
export function targetOf(source: Source, { specifier, kind }: Import): string | undefined {
  const isRelative = specifier.startsWith('.') || (kind === 'url' && !specifier.includes(':'))
  return isRelative ? posix.join(posix.dirname(source.path), specifier) : undefined
}

/** The name of the package that an import names; undefined for a file or a part of Node. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:') || specifier.startsWith('/'))
    return undefined
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}
