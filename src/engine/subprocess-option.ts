import { type ProgramLimits, readProgramLimits, type Sources } from '../config.ts'
import { describe, engineError, invalidOption } from '../errors.ts'
import { checkFields, isProgram, type JobsModule, type ProgramDefinition } from '../job/definition.ts'
import { type builtInProgramType, subprocessesName } from '../job/program.ts'
import { exists, processFilePath } from '../store/file-system.ts'
import subprocessJobs from '../subprocess/subprocess-jobs.ts'
import subprocesses, { type SubprocessesOptions } from '../subprocess/subprocesses.ts'
import type { ActorStart } from '../supervisor/messages.ts'

/** How programs run. Applies to every job type with `execution: 'subprocess'`. */
export interface SubprocessOptions extends Partial<ProgramLimits> {
  /** Whether the job type SUBPROCESS is served, which runs whatever its payload names. Default true. */
  readonly serveBuiltIn?: boolean
}

/** `false` is as if it were left out: job types that are programs run all the same. */
export type SubprocessOption = boolean | SubprocessOptions

/** The job types that the option adds. */
export type BuiltInOf<Option> = Option extends true
  ? BuiltIn
  : Option extends { readonly serveBuiltIn: false } | false | undefined
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
export function checkSubprocess(option: unknown, sources: Sources): CheckedSubprocess {
  const given = typeof option === 'boolean' || option === undefined ? {} : option
  checkFields('subprocess', given, 'true, false, or an object of its options')
  const unknown = Object.keys(given).find((name) => !optionNames.has(name))
  if (unknown !== undefined)
    throw invalidOption(`subprocess.${unknown}`, 'not an option', [...optionNames].join(', '))
  const serveBuiltIn: unknown = 'serveBuiltIn' in given ? (given.serveBuiltIn ?? true) : true
  if (typeof serveBuiltIn !== 'boolean')
    throw invalidOption('subprocess.serveBuiltIn', describe(serveBuiltIn), 'true or false')
  const isServed = option !== undefined && option !== false && serveBuiltIn
  return { settings: readProgramLimits(sources), modules: isServed ? [subprocessJobs] : [] }
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
