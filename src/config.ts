import { availableParallelism } from 'node:os'
import { describe, invalidOption } from './errors.ts'
import { checkFields, checkNumber } from './job/definition.ts'

/** What survives what. `process`: an acknowledged job survives SIGKILL. `power`: it survives loss of power as well. */
export type Durability = 'process' | 'power'
const durabilities = ['process', 'power'] as const satisfies readonly Durability[]

const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

/** Options that can be set in code or by the environment. Code wins. */
export interface Tuning {
  /** Pool threads, 1 to 256. Default: the cores that this process may use. `SEMANTICA_THREADS` */
  readonly threads: number
  /** Heap that a pool thread may fill before it is ended as out of memory, in MB, 32 to 65,536. Default 2,048. `SEMANTICA_THREAD_MEMORY_MB` */
  readonly threadMemoryMb: number
  /** A pool thread that has run so many jobs is replaced once it has nothing left, 0 (never) to 1,000,000,000. Default 0. `SEMANTICA_RECYCLE_AFTER_JOBS` */
  readonly recycleAfterJobs: number
  /** The same for one that holds more MB of heap and buffers after a batch, 0 (never) to 65,536. Default 0. `SEMANTICA_RECYCLE_ABOVE_MB` */
  readonly recycleAboveMb: number
  /** By how much a pool thread lets others go before it where cores are short (Linux), 0 to 19. Default 5. `SEMANTICA_THREAD_NICENESS` */
  readonly threadNiceness: number
  /** Default `process`. `SEMANTICA_DURABILITY` */
  readonly durability: Durability
  /** How long `stop` waits for running jobs, in milliseconds, 0 to 3,600,000. Default 10,000. `SEMANTICA_STOP_GRACE_MS` */
  readonly stopGraceMs: number
  /** Jobs whose enqueue is not yet acknowledged, 1 to 10,000,000; over it: OVERLOADED. Default 100,000. `SEMANTICA_MAX_PENDING_JOBS` */
  readonly maxPendingJobs: number
  /** Characters of payload not yet acknowledged, 1,000,000 to 1,000,000,000. Default 64,000,000. `SEMANTICA_MAX_PENDING_CHARACTERS` */
  readonly maxPendingCharacters: number
  /** Size of a job's log, in bytes, from which it goes on in a new file; with the one before at most twice this is kept, 4,096 to 1,000,000,000. Default 1,000,000. `SEMANTICA_JOB_LOG_BYTES` */
  readonly jobLogBytes: number
  /** What the engine's own log, one JSON line an event on stderr, holds. Default `warn`. `SEMANTICA_LOG_LEVEL` */
  readonly logLevel: LogLevel
}

/** How much of what this process may use is taken, in percent; what is left out is not known, and holds nothing. */
export interface LoadMeasure {
  /** Of the CPU, by everything but this process. */
  readonly cpuPercent?: number | undefined
  /** Of the memory, by this process too. */
  readonly memoryPercent?: number | undefined
}

/**
 * When jobs of low priority are held back: nothing more of them is begun while the machine is busy with other things, or
 * short of memory. Limits of control groups are respected.
 */
export interface ThrottleOptions {
  /**
   * Taken CPU above which they are held, 1 to 100 (never). Twice in a row; they go on when it was below this by 15 points
   * (and by half of it at the most) three times in a row. Default 90. `SEMANTICA_THROTTLE_CPU_PERCENT`
   */
  readonly cpuPercent?: number
  /** Taken memory, likewise; they go on below it by 5 points. Default 95. `SEMANTICA_THROTTLE_MEMORY_PERCENT` */
  readonly memoryPercent?: number
  /** Jobs of a lower priority are held, -99 to 100. Default 0. `SEMANTICA_THROTTLE_BELOW_PRIORITY` */
  readonly belowPriority?: number
  /** How often the load is measured, in milliseconds, 10 to 60,000, while there is something to run. Default 1,000. `SEMANTICA_THROTTLE_EVERY_MS` */
  readonly everyMs?: number
  /**
   * Your own measure in place of the engine's: for machines that tell nothing of themselves, or for another reason to
   * hold jobs, such as a battery. Called on the thread of the host. One that throws counts as not known, and so does one
   * that has not answered when the next is due, but for a second at least.
   */
  readonly measure?: () => LoadMeasure | Promise<LoadMeasure>
}

/** The effective options of the throttle. */
export interface ThrottleSettings {
  readonly cpuPercent: number
  readonly memoryPercent: number
  readonly belowPriority: number
  readonly everyMs: number
  /** Whether the host is asked, instead of the machine. */
  readonly asksHost: boolean
}

/** The longest grace of a stop: one hour. */
export const maxStopGraceMs = 3_600_000

interface NumberOption {
  readonly variable: string
  readonly minimum: number
  readonly maximum: number
  readonly fallback: () => number
}

const numberOptions = {
  threads: { variable: 'SEMANTICA_THREADS', minimum: 1, maximum: 256, fallback: availableParallelism },
  threadMemoryMb: {
    variable: 'SEMANTICA_THREAD_MEMORY_MB',
    minimum: 32,
    maximum: 65_536,
    // From 2 GB on V8 collects as lazily as in a process of its own.
    fallback: () => 2_048,
  },
  recycleAfterJobs: {
    variable: 'SEMANTICA_RECYCLE_AFTER_JOBS',
    minimum: 0,
    maximum: 1_000_000_000,
    fallback: () => 0,
  },
  recycleAboveMb: {
    variable: 'SEMANTICA_RECYCLE_ABOVE_MB',
    minimum: 0,
    maximum: 65_536,
    fallback: () => 0,
  },
  threadNiceness: {
    variable: 'SEMANTICA_THREAD_NICENESS',
    minimum: 0,
    maximum: 19,
    // Enough for the host and the supervisor to be heard at once beside as many busy threads as there are cores.
    fallback: () => 5,
  },
  stopGraceMs: {
    variable: 'SEMANTICA_STOP_GRACE_MS',
    minimum: 0,
    maximum: maxStopGraceMs,
    fallback: () => 10_000,
  },
  maxPendingJobs: {
    variable: 'SEMANTICA_MAX_PENDING_JOBS',
    minimum: 1,
    maximum: 10_000_000,
    fallback: () => 100_000,
  },
  maxPendingCharacters: {
    variable: 'SEMANTICA_MAX_PENDING_CHARACTERS',
    minimum: 1_000_000,
    maximum: 1_000_000_000,
    fallback: () => 64_000_000,
  },
  jobLogBytes: {
    variable: 'SEMANTICA_JOB_LOG_BYTES',
    minimum: 4_096,
    maximum: 1_000_000_000,
    fallback: () => 1_000_000,
  },
} as const satisfies Record<string, NumberOption>

const throttleOptions = {
  cpuPercent: {
    variable: 'SEMANTICA_THROTTLE_CPU_PERCENT',
    minimum: 1,
    maximum: 100,
    fallback: () => 90,
  },
  memoryPercent: {
    variable: 'SEMANTICA_THROTTLE_MEMORY_PERCENT',
    minimum: 1,
    maximum: 100,
    fallback: () => 95,
  },
  belowPriority: {
    variable: 'SEMANTICA_THROTTLE_BELOW_PRIORITY',
    minimum: -99,
    maximum: 100,
    fallback: () => 0,
  },
  everyMs: {
    variable: 'SEMANTICA_THROTTLE_EVERY_MS',
    minimum: 10,
    maximum: 60_000,
    fallback: () => 1_000,
  },
} as const satisfies Record<string, NumberOption>

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

/**
 * The effective tuning: what the code gives, then the environment, then the default.
 *
 * @throws OPTION_INVALID naming the option or variable, its value, and what is allowed
 */
export function readTuning(
  given: Partial<Tuning>,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Tuning {
  const number = (name: keyof typeof numberOptions): number =>
    readNumber(name, given[name], numberOptions[name], environment)
  return {
    threads: number('threads'),
    threadMemoryMb: number('threadMemoryMb'),
    recycleAfterJobs: number('recycleAfterJobs'),
    recycleAboveMb: number('recycleAboveMb'),
    threadNiceness: number('threadNiceness'),
    stopGraceMs: number('stopGraceMs'),
    maxPendingJobs: number('maxPendingJobs'),
    maxPendingCharacters: number('maxPendingCharacters'),
    jobLogBytes: number('jobLogBytes'),
    durability: choice(
      'durability',
      durabilities,
      given.durability,
      'SEMANTICA_DURABILITY',
      environment,
      'process',
    ),
    logLevel: choice('logLevel', logLevels, given.logLevel, 'SEMANTICA_LOG_LEVEL', environment, 'warn'),
  }
}

/**
 * The effective throttle: undefined when it is off, or may never hold anything.
 *
 * @throws OPTION_INVALID
 */
export function readThrottle(
  given: ThrottleOptions | false | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ThrottleSettings | undefined {
  if (given === false) return undefined
  const options: ThrottleOptions = given === undefined ? {} : given
  checkFields('throttle', options)
  const names = [...Object.keys(throttleOptions), 'measure']
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown !== undefined)
    throw invalidOption(`throttle.${unknown}`, 'not an option of throttle', names.join(', '))
  if (options.measure !== undefined && typeof options.measure !== 'function')
    throw invalidOption('throttle.measure', describe(options.measure), 'a function')
  const number = (name: keyof typeof throttleOptions): number =>
    readNumber(`throttle.${name}`, options[name], throttleOptions[name], environment)
  const settings = {
    cpuPercent: number('cpuPercent'),
    memoryPercent: number('memoryPercent'),
    belowPriority: number('belowPriority'),
    everyMs: number('everyMs'),
    asksHost: options.measure !== undefined,
  }
  return settings.cpuPercent === 100 && settings.memoryPercent === 100 ? undefined : settings
}

function readNumber(
  name: string,
  fromCode: number | undefined,
  { variable, minimum, maximum, fallback }: NumberOption,
  environment: Readonly<Record<string, string | undefined>>,
): number {
  if (fromCode !== undefined) {
    checkNumber(name, fromCode, minimum, maximum, true)
    return fromCode
  }
  const text = environment[variable]
  if (text === undefined || text === '') return fallback()
  const value = Number(text)
  checkNumber(variable, Number.isNaN(value) ? text : value, minimum, maximum, true)
  return value
}

function choice<Value extends string>(
  name: string,
  allowed: readonly Value[],
  given: Value | undefined,
  variable: string,
  environment: Readonly<Record<string, string | undefined>>,
  fallback: Value,
): Value {
  const fromEnvironment = environment[variable]
  const found =
    given ?? (fromEnvironment === undefined || fromEnvironment === '' ? fallback : fromEnvironment)
  const value = allowed.find((candidate) => candidate === found)
  if (value === undefined) {
    throw invalidOption(given === undefined ? variable : name, describe(found), allowed.join(', '))
  }
  return value
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
