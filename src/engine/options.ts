import { basename, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type ActorModule, isActorModule } from '../actor/define.ts'
import {
  type AlertOptions,
  checkKnown,
  type MaintenanceOptions,
  type MetricsOptions,
  readAddedEnvValues,
  readAlerts,
  readDatabasePath,
  readDatabaseSource,
  readMaintenance,
  readMetrics,
  readSources,
  readThrottle,
  readTuning,
  type SourceOptions,
  type Sources,
  type ThrottleOptions,
  type Tuning,
  tuningNames,
} from '../config.ts'
import { describe, engineError, invalidOption } from '../errors.ts'
import {
  type AnyJobDefinition,
  checkFields,
  isJobsModule,
  isProgram,
  type JobsModule,
} from '../job/definition.ts'
import { envValuesOf, subprocessesName } from '../job/program.ts'
import type { ActorStart, JobTypeSettings, SupervisorStart } from '../supervisor/messages.ts'
import type { LogOptions } from '../telemetry/log.ts'
import type { ObservationSettings } from './observation.ts'
import { checkSubprocess, type SubprocessOption, startSubprocesses } from './subprocess-option.ts'

// biome-ignore lint/suspicious/noExplicitAny: a module of any definitions; the inference reads them back
export type AnyJobsModule = JobsModule<any>
export type JobsOption = AnyJobsModule | readonly AnyJobsModule[]

/** An actor that the engine starts, and what its `start` is given. */
export interface ActorOption {
  readonly module: ActorModule
  /** Must survive structuredClone. */
  readonly options?: unknown
}

/**
 * What `Engine.start` takes. Only `jobs` and `database` are needed. Each wins over the ones before it: these options, the
 * configuration file, the environment, `overrides`.
 */
export interface EngineOptions<
  Jobs extends JobsOption = JobsOption,
  Subprocess extends SubprocessOption | undefined = SubprocessOption | undefined,
> extends Partial<Tuning>,
    SourceOptions {
  /** The default export of a module made with `defineJobs`, or several of them with different job types. */
  readonly jobs: Jobs
  /**
   * Path of the database file. It is made when it does not exist; its folder must exist. Needed unless the configuration
   * file or `SEMANTICA_DATABASE` names it.
   */
  readonly database?: string
  /** Threads that own a resource, by the name under which handlers reach them. Started in this order. */
  readonly actors?: Readonly<Record<string, ActorOption>>
  /** A module that each pool thread imports before the jobs: a path, or a file URL. Its exports are not used. */
  readonly setup?: string | URL
  /** Serves the job type SUBPROCESS, whose payload names any program; and how programs run. `true`: with the defaults; `false`: not served. */
  readonly subprocess?: Subprocess
  /**
   * When jobs of low priority are held back; `false`: never. By default those below 0 are, while other things take more
   * than 90 % of the CPU, or 95 % of the memory is taken.
   */
  readonly throttle?: ThrottleOptions | boolean
  /** Where the log goes: called on the host's thread with one or more whole lines. Default: standard error. */
  readonly logTo?: (lines: string) => void
  /**
   * How long finished jobs and artifacts are kept, and when the file is made smaller. By default jobs go 7 days after they
   * have finished, once a day; `false`: only by `engine.maintenance.runNow()`.
   */
  readonly maintenance?: MaintenanceOptions | boolean
  /**
   * Measures waits, run times and commits, for `engine.metrics.text()` and for OpenTelemetry; with a port they are served
   * too. Default: off.
   */
  readonly metrics?: MetricsOptions | boolean
  /** From when on `alert` is told; `false`: never. */
  readonly alerts?: AlertOptions | boolean
}

/** All that may be given to `Engine.start`. */
export const optionNames: readonly string[] = [
  'jobs',
  'database',
  'actors',
  'setup',
  'subprocess',
  'throttle',
  'maintenance',
  'config',
  'overrides',
  'logTo',
  'metrics',
  'alerts',
  ...tuningNames,
] satisfies (keyof EngineOptions)[]

/** The options, checked and completed. */
export interface CheckedOptions {
  readonly tuning: Tuning
  readonly definitions: ReadonlyMap<string, AnyJobDefinition>
  readonly start: SupervisorStart
  readonly observation: ObservationSettings
  /** The host's own measure of the load: it stays on this thread. */
  readonly measure: ThrottleOptions['measure']
  readonly log: LogOptions
}

/** @throws OPTION_INVALID, CONFIG_INVALID, JOBS_MODULE_INVALID; PATH_INVALID when the configuration file is missing */
export async function checkOptions(options: EngineOptions): Promise<CheckedOptions> {
  checkFields('options', options)
  checkKnown(options, optionNames, '')
  // A function is a program: text for people goes to a terminal, unless it is asked for.
  const { logTo, logFormat = 'json' } = options
  const given = logTo === undefined ? options : { ...options, logFormat }
  return complete(given, await readSources(given))
}

function settingsOf(definition: AnyJobDefinition): JobTypeSettings {
  const { retry, timeoutMs, graceMs, overlap } = definition
  return {
    ...(isProgram(definition) ? { isProgram: true } : {}),
    ...(retry === undefined ? {} : { retry }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(overlap === undefined ? {} : { overlap }),
  }
}

function complete(options: EngineOptions, sources: Sources): CheckedOptions {
  const { environment } = sources
  const tuning = readTuning(options, environment, sources)
  const throttle = readThrottle(options.throttle, environment, sources)
  const maintenance = readMaintenance(options.maintenance, environment, sources)
  const subprocess = checkSubprocess(options.subprocess, sources)
  const given = Array.isArray(options.jobs) ? options.jobs : [options.jobs]
  const modules = [...given, ...subprocess.modules]
  const definitions = mergeDefinitions(modules)
  const jobTypes = Object.fromEntries([...definitions].map(([name, one]) => [name, settingsOf(one)]))
  const file = resolve(readDatabasePath(sources))
  const actors = checkActors(options.actors === undefined ? {} : options.actors)
  const metrics = readMetrics(sources)
  return {
    tuning,
    definitions,
    observation: { metrics, alerts: readAlerts(sources) },
    measure: typeof options.throttle === 'object' ? options.throttle.measure : undefined,
    log: logOptions(tuning, options.logTo, definitions.values(), subprocess.settings.allowedEnv),
    start: {
      database: file,
      databaseSource: readDatabaseSource(sources),
      program: basename(process.argv[1] ?? 'node'),
      durability: tuning.durability,
      threads: tuning.threads,
      programConcurrency: subprocess.settings.concurrency,
      threadMemoryMb: tuning.threadMemoryMb,
      recycleAfterJobs: tuning.recycleAfterJobs,
      recycleAboveMb: tuning.recycleAboveMb,
      jobLogBytes: tuning.jobLogBytes,
      threadNiceness: tuning.threadNiceness,
      upgradeBackup: tuning.upgradeBackup,
      transitions: loggedTransitions(tuning),
      moduleUrls: modules.map((module) => module.url),
      setupUrl: setupUrl(options.setup),
      jobTypes,
      // First: what an engine before this one has left running ends before anything begins.
      actors: [...startSubprocesses(file, definitions.values(), subprocess), ...actors],
      throttle,
      maintenance,
      isMetered: metrics !== undefined,
    },
  }
}

function logOptions(
  { logLevel, logFormat }: Tuning,
  logTo: EngineOptions['logTo'],
  definitions: Iterable<object>,
  allowedEnv: readonly string[],
): LogOptions {
  if (logTo !== undefined && typeof logTo !== 'function')
    throw invalidOption('logTo', describe(logTo), 'a function')
  const programs = [...definitions].filter(isProgram)
  const added = programs.length === 0 ? [] : readAddedEnvValues(allowedEnv)
  const secrets = [...programs.flatMap(({ program }) => envValuesOf(program)), ...added]
  return { logLevel, logFormat, logTo, secrets }
}

/** Which the supervisor has to tell: none that the level would not let through. */
function loggedTransitions({ logLevel, logTransitions }: Tuning): SupervisorStart['transitions'] {
  if (logLevel === 'silent' || logLevel === 'error') return undefined
  return logLevel === 'warn' ? 'failures' : logTransitions
}

function mergeDefinitions(modules: readonly unknown[]): ReadonlyMap<string, AnyJobDefinition> {
  const definitions = new Map<string, AnyJobDefinition>()
  for (const module of modules) {
    if (!isJobsModule(module)) {
      throw engineError('JOBS_MODULE_INVALID', {
        found: `jobs is ${describe(module)}`,
        allowed: 'what defineJobs(import.meta.url, …) returned, or an array of these',
        action: 'Pass the default export of the jobs module.',
      })
    }
    for (const [type, definition] of Object.entries(module.definitions)) {
      if (definitions.has(type)) {
        throw engineError('JOBS_MODULE_INVALID', {
          found: `Two modules define the job type ${type}`,
          action: 'Rename one of them.',
        })
      }
      definitions.set(type, definition)
    }
  }
  return definitions
}

function checkActors(actors: Readonly<Record<string, ActorOption>>): ActorStart[] {
  checkFields('actors', actors)
  return Object.entries(actors).map(([name, actor]) => {
    if (name === '')
      throw invalidOption('actors', 'given with an empty name', 'names of at least 1 character')
    if (name === subprocessesName)
      throw invalidOption('actors', `given with the name ${name}`, 'another name: this actor is built in')
    if (!isActorModule(actor?.module)) {
      throw engineError('JOBS_MODULE_INVALID', {
        found: `actors.${name}.module is ${describe(actor?.module)}`,
        allowed: 'what defineActor(import.meta.url, …) returned',
        action: 'Pass the default export of the actor module.',
      })
    }
    return { name, moduleUrl: actor.module.url, options: actor.options }
  })
}

function setupUrl(setup: string | URL | undefined): string | undefined {
  if (setup === undefined) return undefined
  if (setup instanceof URL) return setup.href
  if (typeof setup !== 'string') throw invalidOption('setup', describe(setup), 'a path or a file URL')
  return setup.startsWith('file:') ? setup : pathToFileURL(resolve(setup)).href
}
