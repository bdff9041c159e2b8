/**
 * The file with the configuration: `semantica.config.ts`, `.js` or `.json`. The command looks for it in the current
 * folder; an embedded engine reads one only when it is told to, since it does not know whose folder that is.
 */
import { lstatSync, readFileSync, type Stats, statSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, engineError } from '../errors.ts'
import { type Configuration, checkConfiguration } from './all-options.ts'
import { findJsonFault } from './json-fault.ts'
import { isOptions } from './option.ts'
import type { ConfigFile } from './setting.ts'

/** The variable that names the file, for the command and for embedded engines. */
export const configVariable = 'SEMANTICA_CONFIG'

const fileNames = ['semantica.config.ts', 'semantica.config.js', 'semantica.config.json'] as const

/**
 * Gives a configuration its type, so that an editor knows the names. A plain object would do as well.
 *
 * @example
 * // semantica.config.ts
 * import { defineConfig } from 'semantica-task-engine'
 * export default defineConfig({ database: 'data/tasks.db', threads: 4, throttle: { cpuPercent: 60 } })
 */
export function defineConfig(configuration: Configuration): Configuration {
  return configuration
}

/**
 * The configuration file of a folder; undefined when there is none. Whatever bears the name counts: a link that leads
 * nowhere was meant to be one, and is refused when it is read.
 *
 * @throws CONFIG_INVALID when there is more than one: which of them counts would be a guess
 */
export function findConfigFile(folder: string): string | undefined {
  const found = fileNames.filter((name) => bearsName(join(folder, name)))
  if (found.length > 1)
    throw engineError('CONFIG_INVALID', {
      found: `${folder} holds ${found.join(' and ')}`,
      allowed: 'one of them',
      action: `Remove the others, or name one: --config FILE, or ${configVariable}.`,
      details: { path: folder },
    })
  return found[0] === undefined ? undefined : join(folder, found[0])
}

/**
 * Reads a configuration file. Its names are checked here, its values where they are used. A module is loaded once in a
 * process, however often it is asked for.
 *
 * @throws PATH_INVALID, CONFIG_INVALID, OPTION_INVALID
 */
export async function loadConfigFile(given: string): Promise<ConfigFile> {
  const path = resolve(given)
  if (!isFile(path))
    throw engineError('PATH_INVALID', {
      found: `The configuration file ${path} ${whyNoFile(path)}`,
      action: bearsName(path) ? 'Correct the path, or remove what is there.' : 'Correct the path.',
      details: { path },
    })
  const values = await loaderOf(path)(path)
  if (!isOptions(values))
    throw engineError('CONFIG_INVALID', {
      found: `${path} holds ${describe(values)}`,
      allowed: 'an object of options',
      action: 'Export one: export default defineConfig({ … })',
      details: { path },
    })
  checkConfiguration(values, (name) => `${name} in ${path}`)
  return { path, values }
}

function loaderOf(path: string): (path: string) => unknown {
  const extension = extname(path)
  if (extension === '.json') return readJson
  if (['.ts', '.mts', '.js', '.mjs', '.cjs'].includes(extension)) return importDefault
  throw engineError('CONFIG_INVALID', {
    found: `${path} ends in ${extension === '' ? 'nothing' : extension}`,
    allowed: '.ts, .mts, .js, .mjs, .cjs, .json',
    action: 'Rename it.',
    details: { path },
  })
}

function readJson(path: string): unknown {
  // Some editors begin a file with a mark of its byte order.
  const text = readText(path).replace(/^\uFEFF/, '')
  const fault = findJsonFault(text)
  if (fault === undefined) return JSON.parse(text)
  throw engineError('CONFIG_INVALID', {
    found: `${path}:${fault.line}:${fault.column} is not JSON: ${fault.found}`,
    allowed: fault.expected,
    action: 'Correct it.',
    details: { path, line: fault.line, column: fault.column },
  })
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw cannotLoad(path, error)
  }
}

async function importDefault(path: string): Promise<unknown> {
  const module: unknown = await import(pathToFileURL(path).href).catch((error) => {
    throw cannotLoad(path, error)
  })
  if (typeof module === 'object' && module !== null && 'default' in module) return module.default
  throw engineError('CONFIG_INVALID', {
    found: `${path} has no default export`,
    allowed: 'an object of options',
    action: 'Export one: export default defineConfig({ … })',
    details: { path },
  })
}

function cannotLoad(path: string, error: unknown): Error {
  return engineError('CONFIG_INVALID', {
    found: `${path}${lineIn(path, error)} cannot be loaded: ${error instanceof Error ? error.message : describe(error)}`,
    action: 'Correct it.',
    details: { path },
    cause: error,
  })
}

/** `:line` or `:line:column`, where the error says so; Node does not for every mistake. */
function lineIn(path: string, error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const at = stack.indexOf(`${path}:`)
  return at < 0 ? '' : (/^:\d+(?::\d+)?/.exec(stack.slice(at + path.length))?.[0] ?? '')
}

function bearsName(path: string): boolean {
  return statsOf(path, lstatSync) !== undefined
}

function isFile(path: string): boolean {
  return statsOf(path)?.isFile() === true
}

function whyNoFile(path: string): string {
  if (statsOf(path) !== undefined) return 'is not a file'
  return bearsName(path) ? 'is a link that leads nowhere' : 'does not exist'
}

/** Undefined: nothing is there. */
function statsOf(path: string, look: typeof lstatSync = statSync): Stats | undefined {
  try {
    return look(path, { throwIfNoEntry: false })
  } catch (error) {
    const isLoop = error instanceof Error && 'code' in error && error.code === 'ELOOP'
    if (isLoop) return undefined
    throw cannotLoad(path, error)
  }
}
