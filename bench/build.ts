import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const repository = resolve(import.meta.dirname, '..')

/**
 * What users run is the build, so that is measured where start and memory count: of these sources, not of whatever was
 * built last. The trials are in it too. Gives the folder that `dist` would be.
 */
export function build(folder: string): string {
  const target = join(folder, 'package')
  const output = join(target, 'dist')
  mkdirSync(target)
  const project = join(target, 'tsconfig.json')
  const sources = ['src', 'workers', 'bench'].map((name) => join(repository, name))
  writeFileSync(
    project,
    JSON.stringify({
      extends: join(repository, 'tsconfig.build.json'),
      compilerOptions: { rootDir: repository, outDir: output, declaration: false },
      include: sources,
    }),
  )
  execFileSync(process.execPath, [join(repository, 'node_modules/typescript/bin/tsc'), '-p', project], {
    cwd: repository,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  cpSync(join(repository, 'migrations'), join(output, 'migrations'), { recursive: true })
  cpSync(join(repository, 'package.json'), join(target, 'package.json'))
  return output
}
