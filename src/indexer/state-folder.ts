import { accessSync, constants, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { engineError } from '../errors.ts'

export interface StatePaths {
  readonly folder: string
  /** The jobs. */
  readonly tasks: string
  /** The index. */
  readonly index: string
}

/** Where a directory's state is kept: `<directory>/.semantica`, unless said otherwise. */
export function statePaths(directory: string, stateFolder?: string): StatePaths {
  const folder = stateFolder === undefined ? join(directory, '.semantica') : resolve(stateFolder)
  return { folder, tasks: join(folder, 'tasks.db'), index: join(folder, 'index.db') }
}

/**
 * Makes the state folder, and has git ignore it.
 *
 * @throws PATH_INVALID when something else stands there, or it cannot be written
 */
export function prepareStateFolder({ folder }: StatePaths): void {
  try {
    makeFolder(folder)
    if (!statSync(folder).isDirectory()) throw new Error('it is not a directory')
    // It ignores itself for git, and is left out of the index: never a folder that holds something else.
    if (!isStateFolder(folder)) throw new Error('it holds other files already')
    accessSync(folder, constants.W_OK | constants.X_OK)
    const ignoreFile = join(folder, '.gitignore')
    if (!existsSync(ignoreFile)) writeFileSync(ignoreFile, '*\n')
  } catch (error) {
    throw engineError('PATH_INVALID', {
      found: `${folder} cannot hold the state: ${error instanceof Error ? error.message : String(error)}`,
      allowed: 'a folder of its own that can be written, or made',
      action: 'Correct its permissions, or choose another folder with --state.',
      details: { path: folder },
      cause: error,
    })
  }
}

function isStateFolder(folder: string): boolean {
  const names = readdirSync(folder)
  return names.every((name) => name === '.gitignore') || names.some((name) => /^(tasks|index)\.db/.test(name))
}

/** Not by `recursive: true`: where a folder cannot be made at all, as under /proc, Node goes round in circles for ever. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder)
}
