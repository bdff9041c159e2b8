import { join, relative } from 'node:path'
import { engineError } from '../errors.ts'
import { resolveDirectory } from '../indexer/discover.ts'
import { assertIndexOf } from '../indexer/index-snapshot.ts'
import { type SearchHit, searchDefinitions } from '../indexer/search.ts'
import { statePaths } from '../indexer/state-folder.ts'
import { exitCodes } from './exit-codes.ts'
import { printable } from './printable.ts'

interface SearchCommandOptions {
  readonly state?: string
  readonly json?: boolean
  readonly limit?: number
}

const defaultLimit = 50

export function runSearch(name: string, directory: string, options: SearchCommandOptions): number {
  if (name === '')
    throw engineError('OPTION_INVALID', {
      found: 'The name to search for is empty',
      allowed: 'a name, or the beginning of one',
      action: 'Give it as the first argument.',
    })
  const root = resolveDirectory(directory)
  const paths = statePaths(root, options.state)
  assertIndexOf(paths, root)
  const hits = searchDefinitions(paths.index, name, options.limit ?? defaultLimit)
  if (hits === undefined) throw noIndex(root)
  if (options.json === true) process.stdout.write(`${JSON.stringify(hits)}\n`)
  else process.stdout.write(hits.map((hit) => lineOf(root, hit)).join(''))
  if (hits.length > 0) return exitCodes.ok
  if (options.json !== true) process.stderr.write(`semantica: no definition of ${printable(name)}\n`)
  return exitCodes.incomplete
}

/** Paths as seen from where the user is, so that they can be opened as printed. */
function lineOf(root: string, { path, line, text }: SearchHit): string {
  const seen = relative(process.cwd(), join(root, path))
  return `${printable(seen)}:${line}: ${printable(text)}\n`
}

export function noIndex(root: string): Error {
  return engineError('PATH_INVALID', {
    found: `There is no index of ${root}`,
    action: `Run \`semantica index ${root}\` first.`,
    details: { path: root },
  })
}
