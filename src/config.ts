/**
 * Every option of the engine. The tables of src/config/ declare each one once, with its variable, bounds and default;
 * here they are read. In rising order of what wins: options of `Engine.start`, configuration file, environment, and
 * what the command line says.
 */
import { type AlertSettings, alertOptions, alertsSwitch } from './config/alerts.ts'
import { allOptions, type Configuration, checkConfiguration } from './config/all-options.ts'
import { configVariable, findConfigFile, loadConfigFile } from './config/config-file.ts'
import { databaseOption } from './config/database.ts'
import { findUnknownVariables, type UnknownVariable } from './config/listing.ts'
import {
  type MaintenanceLimits,
  type MaintenanceOptions,
  type MaintenanceSettings,
  maintenanceOptions,
  maintenanceSwitch,
  type RetentionByState,
  retentionOptions,
  settingsOf,
} from './config/maintenance.ts'
import { type MetricsSettings, metricsOptions, metricsSwitch } from './config/metrics.ts'
import { allowedText, placeOf } from './config/option.ts'
import { defaultAllowedEnv, type ProgramLimits, programOptions } from './config/programs.ts'
import {
  checkGiven,
  checkKnown,
  type Environment,
  readSetting,
  readTable,
  type Sources,
} from './config/setting.ts'
import {
  type ThrottleLimits,
  type ThrottleOptions,
  type ThrottleSettings,
  throttleOptions,
  throttleSwitch,
} from './config/throttle.ts'
import { type Tuning, tuningOptions } from './config/tuning.ts'
import { describe, invalidOption } from './errors.ts'
import { checkFields } from './job/definition.ts'

export type { AlertOptions, AlertSettings } from './config/alerts.ts'
export type { Configuration } from './config/all-options.ts'
export { defineConfig } from './config/config-file.ts'
export { type EffectiveSetting, listSettings, type UnknownVariable } from './config/listing.ts'
export type { MaintenanceOptions, MaintenanceSettings } from './config/maintenance.ts'
export type { MetricsOptions, MetricsSettings } from './config/metrics.ts'
export type { ProgramLimits } from './config/programs.ts'
export { checkKnown, type Sources } from './config/setting.ts'
export type { LoadMeasure, ThrottleOptions, ThrottleSettings } from './config/throttle.ts'
export {
  type Durability,
  type LogLevel,
  type LogTransitions,
  maxStopGraceMs,
  type Tuning,
  tuningNames,
} from './config/tuning.ts'

/** Bounds inside the engine. They are relations between parts, not options. */
export const limits = {
  /** Commands that one supervisor cycle applies at most. */
  commandsPerCycle: 256,
  /** Jobs that one message from the host carries at most, so that one command stays short. */
  jobsPerMessage: 500,
  /** A message with this much payload takes no further job. */
  charactersPerMessage: 1_000_000,
  /** A longer payload is kept in a table of its own: a job's row is written twice. */
  longPayloadCharacters: 16_384,
  /** Jobs and characters of one atomic `enqueueMany`. */
  atomicJobs: 10_000,
  atomicCharacters: 10_000_000,
  /** Work that one batch should hold, in estimated milliseconds; and its most jobs. */
  batchMs: 40,
  batchJobs: 512,
  /** Batches that may be claimed for each thread: one running, one prefetched, one ready to go. */
  batchesPerThread: 3,
  /**
   * New jobs that are claimed for each thread as they come. Far more than it has at a time: after a moment in which nothing
   * went on they would wait as backlog, which costs twice as much, just when there is much to catch up with: an engine at half
   * load would then never catch up.
   */
  newJobsPerThread: 32_768,
  /** Of these, those that may begin before a further commit says so: after a crash each of them runs alone in its thread. */
  clearedJobsPerThread: 3_072,
  /** Batches that a thread may have to work on at a time. Beyond two they are for handlers that wait and overlap. */
  batchesAtOnce: 8,
  /** The same, with those of which nothing is left but programs that are waited for, of which 1,000 may run at a time. */
  batchesOfThread: 1_008,
  /** Threads that only end what they have, beside those that serve; as many as serve, if these are more. */
  lingeringThreads: 4,
  /** A handler that has run this long holds up what waits behind it; that is taken back. */
  stuckAfterMs: 20,
  /** Looks at which a thread neither begins nor ends what it has: then others get that. */
  stillLooks: 4,
  /** The same, and how long, until it is taken for hung, and ended. */
  hungLooks: 50,
  hungAfterMs: 5_000,
  /** How often a thread in which nothing runs but programs is asked for a sign of life. */
  signEveryMs: 1_000,
  /** How often threads are looked at: for outcomes, for time limits, and for jobs that hold up others. */
  watchEveryMs: 40,
  /** Rows that one page of a list examines at most. */
  rowsPerPage: 10_000,
  /** Requests of the host that may wait for the supervisor or the reader. */
  pendingRequests: 100_000,
  /** Jobs that waited for a handler and that one cycle releases at most. */
  releasedPerCycle: 1_000,
  /** Jobs whose time has come that a cycle sees to before it looks at the time; how long it goes on when nobody waits. */
  duePerStep: 100,
  dueSliceMs: 5,
  /** Jobs that one message from the host cancels by their ids at most. */
  cancelsPerMessage: 250,
  /** Cancels of many that may be under way: each is held against every job that is claimed meanwhile. */
  cancelsUnderway: 1_000,
  /** How long one slice of a cancel of many goes on when nobody waits for its commit, and when somebody does. */
  cancelSliceMs: 3,
  shortCancelSliceMs: 1,
  /** How long one slice of maintenance goes on. */
  maintenanceSliceMs: 5,
  /** How long each step of such a slice should take: it looks at the time after each. */
  stepMs: 1,
  /** Share of the supervisor's time that maintenance gets when everything else would take all of it. */
  maintenanceShare: 0.08,
  /** WAL size from which the checkpointer is asked, and from which the writer checkpoints too. */
  checkpointBytes: 16_000_000,
  writerCheckpointBytes: 32_000_000,
  /** Both, while jobs are cancelled by the hundred thousand. */
  bulkCheckpointBytes: 4_000_000,
  /** Characters of state transitions that are told and not yet in the log; over it they are counted instead. */
  pendingTransitionCharacters: 32_000_000,
  /** Refused requests that have a line of their own, a second; of more it is told how many they were. */
  refusalLinesPerSecond: 100,
  /** How long a thread may take to become ready. */
  readyTimeoutMs: 60_000,
  /** How long a pool thread may take to load the set-up and jobs modules: less, so that a start tells what hangs. */
  loadTimeoutMs: 50_000,
  /** What a slow disk copies and changes of a database meanwhile, where its schema is an older one. */
  upgradedBytesPerMs: 10_000,
} as const

/** What of the options says where others are. */
export interface SourceOptions {
  /** Path of a configuration file. */
  readonly config?: string
  /** What wins over everything, in the place of a command line: as a configuration file, or the path of another one. */
  readonly overrides?: Configuration & { readonly config?: string }
}

/**
 * Finds what else than `code` has a say, and loads the configuration file where one is named.
 *
 * @throws OPTION_INVALID, CONFIG_INVALID, PATH_INVALID
 */
export async function readSources(
  code: SourceOptions,
  environment: Environment = process.env,
): Promise<Sources> {
  const { config, overrides = {} } = code
  checkFields('overrides', overrides)
  const { config: wanted, ...others }: NonNullable<SourceOptions['overrides']> = overrides
  checkConfiguration(others, (name) => `overrides.${name}`)
  const path = wanted ?? (environment[configVariable] || config)
  if (path === undefined) return { code, environment, overrides: others }
  if (typeof path !== 'string' || path === '')
    throw invalidOption('config', describe(path), 'the path of a file')
  return { code, file: await loadConfigFile(path), environment, overrides: others }
}

/**
 * What a command takes into account: its flags, the environment, and the file that `--config` or the variable names, or
 * else the one in the current folder.
 *
 * @throws CONFIG_INVALID when the folder holds more than one
 */
export function commandSources(
  { config, ...settings }: Configuration & { readonly config?: string },
  folder: string,
  environment: Environment = process.env,
): SourceOptions {
  if (config !== undefined) return { overrides: { ...settings, config } }
  const found = environment[configVariable] ? undefined : findConfigFile(folder)
  return { overrides: settings, ...(found === undefined ? {} : { config: found }) }
}

/** Variables of the environment that look like options, and are none. */
export function readUnknownVariables(environment: Environment = process.env): readonly UnknownVariable[] {
  return findUnknownVariables(environment)
}

const toldVariables = new Set<string>()

/**
 * Those of which it is clear what was meant: others may be of the program around, or of a job's program. Without those that
 * it gave before: what is told once needs no other line from each engine of a process.
 */
export function takeUnknownVariables(): readonly UnknownVariable[] {
  const untold = readUnknownVariables().filter(
    ({ name, meant }) => meant !== undefined && !toldVariables.has(name),
  )
  for (const { name } of untold) toldVariables.add(name)
  return untold
}

/** Refuses what no source may say, for who needs none of it yet. @throws OPTION_INVALID */
export function checkSettings(sources: Sources): void {
  for (const [name, option] of allOptions) checkGiven(name, option, sources)
}

/**
 * The effective tuning.
 *
 * @throws OPTION_INVALID naming the option and where it was given, its value, and what is allowed
 */
export function readTuning(
  given: Partial<Tuning>,
  environment: Environment = process.env,
  more: MoreSources = {},
): Tuning {
  return readTable<Tuning>('', tuningOptions, { ...more, code: given, environment })
}

/** What is said elsewhere than in code and in the environment. */
type MoreSources = Pick<Sources, 'file' | 'overrides'>

/**
 * The effective throttle: undefined when it is off, or may never hold anything.
 *
 * @throws OPTION_INVALID
 */
export function readThrottle(
  given: ThrottleOptions | boolean | undefined,
  environment: Environment = process.env,
  more: MoreSources = {},
): ThrottleSettings | undefined {
  const sources: Sources = { ...more, code: { throttle: given }, environment }
  const isOn = readSetting('throttle', throttleSwitch, sources).value
  const own = typeof given === 'object' ? given : {}
  checkKnown(own, [...Object.keys(throttleOptions), 'measure'], 'throttle')
  if (own.measure !== undefined && typeof own.measure !== 'function')
    throw invalidOption('throttle.measure', describe(own.measure), 'a function')
  const bounds = readTable<ThrottleLimits>('throttle', throttleOptions, sources)
  const holdsNothing = bounds.cpuPercent === 100 && bounds.memoryPercent === 100
  return isOn && !holdsNothing ? { ...bounds, asksHost: own.measure !== undefined } : undefined
}

/**
 * The effective maintenance. Turned off, it is only done when it is asked for.
 *
 * @throws OPTION_INVALID
 */
export function readMaintenance(
  given: MaintenanceOptions | boolean | undefined,
  environment: Environment = process.env,
  more: MoreSources = {},
): MaintenanceSettings {
  const sources: Sources = { ...more, code: { maintenance: given }, environment }
  const isScheduled = readSetting('maintenance', maintenanceSwitch, sources).value
  const own = typeof given === 'object' ? given : {}
  checkKnown(own, [...Object.keys(maintenanceOptions), 'retentionMs'], 'maintenance')
  if (own.retentionMs !== undefined) {
    checkFields('maintenance.retentionMs', own.retentionMs)
    checkKnown(own.retentionMs, Object.keys(retentionOptions), 'maintenance.retentionMs')
  }
  const limits = readTable<MaintenanceLimits>('maintenance', maintenanceOptions, sources)
  const byState = readTable<RetentionByState>('maintenance.retentionMs', retentionOptions, sources)
  return settingsOf(limits, byState, isScheduled)
}

/**
 * The effective options of metrics: undefined when they are off. Whoever names a port wants them on.
 *
 * @throws OPTION_INVALID
 */
export function readMetrics(sources: Sources): MetricsSettings | undefined {
  const { value: isOn, origin } = readSetting('metrics', metricsSwitch, sources)
  checkGroup('metrics', metricsOptions, sources)
  const settings = readTable<MetricsSettings>('metrics', metricsOptions, sources)
  return isOn || (origin.kind === 'default' && settings.port !== -1) ? settings : undefined
}

/** The effective options of alerts: undefined when they are off. @throws OPTION_INVALID */
export function readAlerts(sources: Sources): AlertSettings | undefined {
  const { value: isOn } = readSetting('alerts', alertsSwitch, sources)
  checkGroup('alerts', alertOptions, sources)
  const settings = readTable<AlertSettings>('alerts', alertOptions, sources)
  return isOn ? settings : undefined
}

/** Files and flags have been checked as a whole. @throws OPTION_INVALID when the code names an option that is none */
function checkGroup(group: string, table: object, { code = {} }: Sources): void {
  const given: unknown = new Map(Object.entries(code)).get(group)
  if (typeof given === 'object' && given !== null) checkKnown(given, Object.keys(table), group)
}

/** @throws OPTION_INVALID */
export function readProgramLimits(sources: Sources): ProgramLimits {
  return readTable<ProgramLimits>('subprocess', programOptions, sources)
}

/** @throws OPTION_INVALID, also when no source names it */
export function readDatabasePath(sources: Sources): string {
  const path = readSetting('database', databaseOption, sources).value
  if (path === undefined) throw invalidOption('database', 'not given', allowedText(databaseOption))
  return path
}

/** The variable or file that names that path; undefined: the caller has. @throws OPTION_INVALID */
export function readDatabaseSource(sources: Sources): string | undefined {
  const { origin } = readSetting('database', databaseOption, sources)
  return origin.kind === 'environment' || origin.kind === 'file' ? placeOf(origin) : undefined
}

/** The variables of this process that `allowed` names; a name that ends in `*` stands for all that begin so. */
export function readAllowedEnv(
  allowed: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const isAllowed = (name: string): boolean =>
    allowed.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one))
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value !== undefined && isAllowed(name) ? [[name, value] as const] : [],
    ),
  )
}

/**
 * The values of variables that programs get beyond those that every program may know: whoever allows a program more may
 * allow it a secret.
 */
export function readAddedEnvValues(
  allowed: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string[] {
  // The folder in which the engine was started, and no value of a program: that gets its own.
  const usual = readAllowedEnv([...defaultAllowedEnv, 'PWD'], environment)
  return Object.entries(readAllowedEnv(allowed, environment)).flatMap(([name, value]) =>
    name in usual ? [] : [value],
  )
}

/** How traces are exported. */
export type OtlpProtocol = 'grpc' | 'http/protobuf'
const otlpProtocols = ['grpc', 'http/protobuf'] as const satisfies readonly OtlpProtocol[]
const otlpGrpcPort = '4317'

export interface TraceExportSettings {
  readonly protocol: OtlpProtocol
  readonly endpoint: string
}

/**
 * Where OpenTelemetry's own variables want traces to go; undefined: nowhere. Those that are not read here (headers, time
 * limit, certificates, service name) are read by the packages that export.
 *
 * @throws OPTION_INVALID naming the variable, its value, and what is allowed
 */
export function readTraceExport(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): TraceExportSettings | undefined {
  const firstOf = (...variables: readonly string[]) =>
    variables.flatMap((variable) => {
      const value = environment[variable]?.trim()
      return value === undefined || value === '' ? [] : [{ variable, value }]
    })[0]
  const endpoint = firstOf('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT')
  const isOff =
    environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || environment.OTEL_TRACES_EXPORTER === 'none'
  if (endpoint === undefined || isOff) return undefined
  const url = URL.canParse(endpoint.value) ? new URL(endpoint.value) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw invalidOption(
      endpoint.variable,
      describe(endpoint.value),
      'a URL that begins with http:// or https://',
    )
  const given = firstOf('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL')
  if (given === undefined)
    return { protocol: url.port === otlpGrpcPort ? 'grpc' : 'http/protobuf', endpoint: endpoint.value }
  const protocol = otlpProtocols.find((one) => one === given.value)
  if (protocol === undefined)
    throw invalidOption(given.variable, describe(given.value), otlpProtocols.join(', '))
  return { protocol, endpoint: endpoint.value }
}
