import { availableParallelism } from 'node:os'
import { defaultAllowedEnv } from '../config.ts'
import { describe, engineError, invalidOption } from '../errors.ts'
import {
  checkFields,
  checkNumber,
  isProgram,
  type JobsModule,
  type ProgramDefinition,
} from '../job/definition.ts'
import { type builtInProgramType, subprocessesName } from '../job/program.ts'
import { exists, processFilePath } from '../store/file-system.ts'
import subprocessJobs from '../subprocess/subprocess-jobs.ts'
import subprocesses, { type SubprocessesOptions } from '../subprocess/subprocesses.ts'
import type { ActorStart } from '../supervisor/messages.ts'

/** How programs run. Applies to every job type with `execution: 'subprocess'`. */
export interface SubprocessOptions {
  /** Programs that run at a time, 1 to 1,000; further ones wait for their turn. Default: the cores that this process may use. */
  readonly concurrency?: number
  /**
   * Names of variables of the engine's environment that programs get; one that ends in `*` stands for all that begin so.
   * Default: PATH, HOME, LANG, LC_*, TZ, TMPDIR, USER, SHELL.
   */
  readonly allowedEnv?: readonly string[]
  /** Bytes of each output that are kept for each job, 4,096 to 100,000,000: the newest. Default 1,000,000. */
  readonly outputBytes?: number
  /** Whether the job type SUBPROCESS is served, which runs whatever its payload names. Default true. */
  readonly serveBuiltIn?: boolean
}

export type SubprocessOption = true | SubprocessOptions

/** The job types that the option adds. */
export type BuiltInOf<Option> = Option extends true
  ? BuiltIn
  : Option extends { readonly serveBuiltIn: false } | undefined
    ? unknown
    : BuiltIn

type BuiltIn = { readonly [Type in typeof builtInProgramType]: ProgramDefinition }

const optionNames: ReadonlySet<string> = new Set<keyof SubprocessOptions>([
  'concurrency',
  'allowedEnv',
  'outputBytes',
  'serveBuiltIn',
])

interface CheckedSubprocess {
  readonly settings: Omit<SubprocessesOptions, 'database'>
  /** What serves the built-in job type. */
  readonly modules: readonly JobsModule<unknown>[]
}

/** @throws OPTION_INVALID */
export function checkSubprocess(option: unknown): CheckedSubprocess {
  const given = option === true || option === undefined ? {} : option
  checkFields('subprocess', given)
  const unknown = Object.keys(given).find((name) => !optionNames.has(name))
  if (unknown !== undefined)
    throw invalidOption(`subprocess.${unknown}`, 'not an option', [...optionNames].join(', '))
  // The boundary where the options are looked at one by one.
  const {
    concurrency = availableParallelism(),
    allowedEnv = defaultAllowedEnv,
    outputBytes = 1_000_000,
    serveBuiltIn = true,
  } = given as Readonly<Record<string, unknown>>
  checkNumber('subprocess.concurrency', concurrency, 1, 1_000, true)
  checkNumber('subprocess.outputBytes', outputBytes, 4_096, 100_000_000, true)
  if (!isNames(allowedEnv))
    throw invalidOption('subprocess.allowedEnv', describe(allowedEnv), 'an array of names of variables')
  if (typeof serveBuiltIn !== 'boolean')
    throw invalidOption('subprocess.serveBuiltIn', describe(serveBuiltIn), 'true or false')
  const isServed = option !== undefined && serveBuiltIn
  return {
    settings: { concurrency, allowedEnv, outputBytes },
    modules: isServed ? [subprocessJobs] : [],
  }
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string' && name !== '')
}

/**
 * The actor that runs programs, where one is needed: for the job types, or because an engine before this one has left
 * programs behind.
 *
 * @throws SUBPROCESS_INVALID where programs cannot be run; PATH_INVALID
 */
export function startSubprocesses(
  database: string,
  definitions: Iterable<object>,
  { settings }: CheckedSubprocess,
): ActorStart[] {
  const isServed = [...definitions].some(isProgram)
  if (isServed) refuseWindows()
  if (!isServed && !exists(processFilePath(database))) return []
  const options: SubprocessesOptions = { ...settings, database }
  return [{ name: subprocessesName, moduleUrl: subprocesses.url, options }]
}

function refuseWindows(): void {
  if (process.platform !== 'win32') return
  throw engineError('SUBPROCESS_INVALID', {
    found: 'Jobs that are programs cannot run on Windows',
    allowed: 'Linux and macOS, which have process groups',
    action: "Leave out the `subprocess` option and the job types with execution: 'subprocess'.",
  })
}
