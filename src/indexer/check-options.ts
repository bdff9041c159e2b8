import { checkKnown } from '../config.ts'
import { describe, invalidOption } from '../errors.ts'
import type { IndexOptions } from './index-directory.ts'

const optionNames: readonly string[] = [
  'directory',
  'stateFolder',
  'threads',
  'maxFileBytes',
  'signal',
  'logLevel',
  'logFormat',
  'logTransitions',
  'logTo',
  'setup',
  'onProgress',
  'config',
  'overrides',
] satisfies (keyof IndexOptions)[]

const maxMaxFileBytes = 1_000_000_000

/** Those that the engine gets are checked by it. @throws OPTION_INVALID */
export function checkIndexOptions(options: IndexOptions): void {
  if (typeof options !== 'object' || options === null)
    throw invalidOption('options', describe(options), 'an object')
  checkKnown(options, optionNames, '')
  const { directory, stateFolder, maxFileBytes, signal, onProgress } = options
  checkPath('directory', directory)
  if (stateFolder !== undefined) checkPath('stateFolder', stateFolder)
  if (maxFileBytes !== undefined) checkMaxFileBytes(maxFileBytes)
  if (signal !== undefined && typeof signal?.aborted !== 'boolean')
    throw invalidOption('signal', describe(signal), 'the signal of an AbortController')
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw invalidOption('onProgress', describe(onProgress), 'a function')
}

function checkPath(name: string, path: unknown): void {
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw invalidOption(name, describe(path), 'the path of a directory')
}

function checkMaxFileBytes(bytes: number): void {
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > maxMaxFileBytes)
    throw invalidOption(
      'maxFileBytes',
      describe(bytes),
      `a whole number from 1 to ${maxMaxFileBytes.toLocaleString('en')}`,
    )
}
