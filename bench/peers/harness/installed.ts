/** Which versions take part; and whether the peers are installed at all. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type ContenderName, factsOf } from './registry.ts'

const root = resolve(import.meta.dirname, '../../..')
export const peersFolder = resolve(import.meta.dirname, '..')

/** @throws with the one thing to do, when a package is not installed */
export function readVersions(names: readonly ContenderName[], folder = peersFolder): Record<string, string> {
  const versions: Record<string, string> = {}
  for (const name of names) {
    const { packageName, isInstalledWithPeers } = factsOf(name)
    const place = isInstalledWithPeers ? folder : root
    const manifest =
      packageName === 'semantica-task-engine'
        ? join(root, 'package.json')
        : join(place, 'node_modules', packageName, 'package.json')
    if (!existsSync(manifest)) {
      throw new Error(
        `The peers are not installed (${packageName} is missing): run \`npm run bench:peers:install\`.`,
      )
    }
    // The boundary where the file gets its type; npm wrote it.
    versions[packageName] = (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
  }
  return versions
}
