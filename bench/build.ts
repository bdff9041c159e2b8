import { cpSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { bundle } from '../.ci/bundle.mjs'

const repository = resolve(import.meta.dirname, '..')

/**
 * What users run is the build, so that is measured where start and memory count: of these sources, not of whatever was
 * built last. The trials are in it too. Gives the folder that `dist` would be.
 */
export async function build(folder: string): Promise<string> {
  const target = join(folder, 'package')
  const output = join(target, 'dist')
  await bundle(repository, output, ['bench/trial.ts', 'bench/workload.ts', 'bench/piscina-hash-thread.ts'])
  cpSync(join(repository, 'migrations'), join(output, 'migrations'), { recursive: true })
  cpSync(join(repository, 'package.json'), join(target, 'package.json'))
  return output
}
