/**
 * Every option of the engine: the tables of src/config/ declare each one once, with its variable, bounds and default;
 * here they are read. In rising order of what wins: options of `Engine.start`, configuration file, environment, flags.
 */
import { checkKnown, type Environment, readSetting, readTable, type Sources } from './config/setting.ts'
import {
  type ThrottleLimits,
  type ThrottleOptions,
  type ThrottleSettings,
  throttleOptions,
  throttleSwitch,
} from './config/throttle.ts'
import { type Tuning, tuningOptions } from './config/tuning.ts'
import { describe, invalidOption } from './errors.ts'

export type { LoadMeasure, ThrottleOptions, ThrottleSettings } from './config/throttle.ts'
export { type Durability, type LogLevel, maxStopGraceMs, type Tuning } from './config/tuning.ts'

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
  /** Batches that a thread may have to work on at a time. Beyond two they are for handlers that wait and overlap. */
  batchesAtOnce: 8,
  /** The same, with those of which nothing is left but programs that are waited for. */
  batchesOfThread: 1_008,
  /** Jobs that are programs, and wait in a thread, at most. */
  programsPerThread: 1_000,
  /** A handler that has run this long holds up what waits behind it; that is taken back. */
  stuckAfterMs: 20,
  /** How often threads are looked at: for outcomes, for time limits, and for jobs that hold up others. */
  watchEveryMs: 40,
  /** Rows that one page of a list examines at most. */
  rowsPerPage: 10_000,
  /** Requests of the host that may wait for the supervisor or the reader. */
  pendingRequests: 100_000,
  /** Scheduled jobs that one cycle promotes at most. */
  promotedPerCycle: 1_000,
  /** Jobs that a cancel of many looks at, and those that it ends, at most before it looks at the time. */
  examinedPerCancel: 1_000,
  endedPerCancel: 250,
  /** Cancels of many that may be under way: each is held against every job that is claimed meanwhile. */
  cancelsUnderway: 1_000,
  /** How long one slice of a cancel of many goes on when nobody waits for its commit. */
  cancelSliceMs: 5,
  /** WAL size from which the checkpointer is asked, and from which the writer checkpoints too. */
  checkpointBytes: 16_000_000,
  writerCheckpointBytes: 32_000_000,
  /** Both, while jobs are cancelled by the hundred thousand. */
  bulkCheckpointBytes: 4_000_000,
  /** How long a thread may take to become ready. */
  readyTimeoutMs: 60_000,
} as const

/** What is said elsewhere than in code and in the environment. */
type MoreSources = Pick<Sources, 'file' | 'overrides'>

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
  checkKnown(own, [...Object.keys(throttleOptions), 'measure'], 'throttle', { kind: 'code' })
  if (own.measure !== undefined && typeof own.measure !== 'function')
    throw invalidOption('throttle.measure', describe(own.measure), 'a function')
  const bounds = readTable<ThrottleLimits>('throttle', throttleOptions, sources)
  const holdsNothing = bounds.cpuPercent === 100 && bounds.memoryPercent === 100
  return isOn && !holdsNothing ? { ...bounds, asksHost: own.measure !== undefined } : undefined
}

/** What a program gets of the environment unless told otherwise. */
export const defaultAllowedEnv: readonly string[] = [
  'PATH',
  'HOME',
  'LANG',
  'LC_*',
  'TZ',
  'TMPDIR',
  'USER',
  'SHELL',
]

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
