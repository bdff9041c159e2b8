import { availableParallelism } from 'node:os'
import { isatty } from 'node:tty'
import type { OptionFor } from './option.ts'

/** What survives what. `process`: an acknowledged job survives SIGKILL. `power`: it survives loss of power as well. */
export type Durability = 'process' | 'power'

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug'

/** Which changes of a job's state are logged: every one, or those by which an attempt failed or a job was skipped. */
export type LogTransitions = 'all' | 'failures'

/**
 * Options of `Engine.start` that the configuration file, the environment and command-line flags can set as well: each of
 * these wins over the ones before it.
 */
export interface Tuning {
  /** Pool threads, 1 to 256. Default: the cores that this process may use. `SEMANTICA_THREADS` */
  readonly threads: number
  /** Heap that a pool thread may fill before it is ended as out of memory, in MB, 32 to 65,536. Default 2,048. `SEMANTICA_THREAD_MEMORY_MB` */
  readonly threadMemoryMb: number
  /** A pool thread that has run so many jobs is replaced once it has nothing left, 0 (never) to 1,000,000,000. Default 0. `SEMANTICA_RECYCLE_AFTER_JOBS` */
  readonly recycleAfterJobs: number
  /** The same for one that holds more MB of heap and buffers after a batch, 0 (never) to 65,536. Default 0. `SEMANTICA_RECYCLE_ABOVE_MB` */
  readonly recycleAboveMb: number
  /** By how much a pool thread whose handlers take long lets others go before it where cores are short (Linux), 0 to 19. Default 5. `SEMANTICA_THREAD_NICENESS` */
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
  /**
   * Whether the first start of a newer version of the engine, before it changes the schema of a database with jobs, copies it
   * to `<database>.schema-<version>.<time>.backup`. Default true. `SEMANTICA_UPGRADE_BACKUP`
   */
  readonly upgradeBackup: boolean
  /** What the engine's own log, one line an event, holds. Default `warn`. `SEMANTICA_LOG_LEVEL` */
  readonly logLevel: LogLevel
  /** `json`: an object a line, for programs. `pretty`: a line of text, for people. Default `pretty` when stderr is a terminal. `SEMANTICA_LOG_FORMAT` */
  readonly logFormat: 'json' | 'pretty'
  /** Default `failures`; of the command line `all`. Those of no failure are of level `info`. `SEMANTICA_LOG_TRANSITIONS` */
  readonly logTransitions: LogTransitions
}

const stderrDescriptor = 2

/** The longest grace of a stop: one hour. */
export const maxStopGraceMs = 3_600_000

export const tuningOptions = {
  threads: {
    kind: 'number',
    variable: 'SEMANTICA_THREADS',
    flag: '--threads',
    minimum: 1,
    maximum: 256,
    fallback: availableParallelism,
    fallbackText: 'cores',
    meaning: 'pool threads',
  },
  threadMemoryMb: {
    kind: 'number',
    variable: 'SEMANTICA_THREAD_MEMORY_MB',
    minimum: 32,
    maximum: 65_536,
    // From 2 GB on V8 collects as lazily as in a process of its own.
    fallback: () => 2_048,
    meaning:
      'heap that a pool thread may fill; over it the thread is ended, and what ran alone in it failed as `OUT_OF_MEMORY` (buffers do not count), but one huge allocation beyond it ends the process, see [below](#how-it-works)',
  },
  recycleAfterJobs: {
    kind: 'number',
    variable: 'SEMANTICA_RECYCLE_AFTER_JOBS',
    minimum: 0,
    maximum: 1_000_000_000,
    fallback: () => 0,
    fallbackText: '0 (never)',
    meaning: 'a thread that has run so many jobs is replaced once it has nothing left',
  },
  recycleAboveMb: {
    kind: 'number',
    variable: 'SEMANTICA_RECYCLE_ABOVE_MB',
    minimum: 0,
    maximum: 65_536,
    fallback: () => 0,
    fallbackText: '0 (never)',
    meaning: 'the same for one that holds more heap and buffers after a batch',
  },
  threadNiceness: {
    kind: 'number',
    variable: 'SEMANTICA_THREAD_NICENESS',
    minimum: 0,
    maximum: 19,
    // Enough for the host and the supervisor to be heard at once beside as many busy threads as there are cores.
    fallback: () => 5,
    meaning:
      'by how much a pool thread whose handlers take long (a millisecond and more) lets others go before it where cores are short, so that it holds up neither your program nor the engine (Linux only)',
  },
  durability: {
    kind: 'choice',
    variable: 'SEMANTICA_DURABILITY',
    flag: '--durability',
    allowed: ['process', 'power'],
    fallback: () => 'process',
    meaning:
      '`process`: survives SIGKILL (`synchronous=NORMAL`); `power`: survives power loss (`synchronous=FULL`)',
  },
  stopGraceMs: {
    kind: 'number',
    variable: 'SEMANTICA_STOP_GRACE_MS',
    minimum: 0,
    maximum: maxStopGraceMs,
    fallback: () => 10_000,
    meaning: 'how long `stop` waits for running jobs',
  },
  maxPendingJobs: {
    kind: 'number',
    variable: 'SEMANTICA_MAX_PENDING_JOBS',
    minimum: 1,
    maximum: 10_000_000,
    fallback: () => 100_000,
    meaning: 'jobs not yet acknowledged; over it `enqueue` is refused as `OVERLOADED`',
  },
  maxPendingCharacters: {
    kind: 'number',
    variable: 'SEMANTICA_MAX_PENDING_CHARACTERS',
    minimum: 1_000_000,
    maximum: 1_000_000_000,
    fallback: () => 64_000_000,
    meaning: 'the same, in characters of payload',
  },
  jobLogBytes: {
    kind: 'number',
    variable: 'SEMANTICA_JOB_LOG_BYTES',
    minimum: 4_096,
    maximum: 1_000_000_000,
    fallback: () => 1_000_000,
    meaning:
      "size of a job's log from which it goes on in a new file; with the one before at most twice this is kept",
  },
  upgradeBackup: {
    kind: 'switch',
    variable: 'SEMANTICA_UPGRADE_BACKUP',
    fallback: () => true,
    meaning:
      'whether the first start of a newer version, before it changes the schema of a database with jobs, copies it, see [below](#upgrades)',
  },
  logLevel: {
    kind: 'choice',
    variable: 'SEMANTICA_LOG_LEVEL',
    flag: '--log-level',
    allowed: ['silent', 'error', 'warn', 'info', 'debug'],
    fallback: () => 'warn',
    meaning: "what the engine's [log](#the-log) holds: `silent`, `error`, `warn`, `info`, `debug`",
  },
  logFormat: {
    kind: 'choice',
    variable: 'SEMANTICA_LOG_FORMAT',
    allowed: ['json', 'pretty'],
    fallback: () => (isatty(stderrDescriptor) ? 'pretty' : 'json'),
    fallbackText: '`pretty` on a terminal',
    meaning: '`json`: an object a line, for programs; `pretty`: a line of text',
  },
  logTransitions: {
    kind: 'choice',
    variable: 'SEMANTICA_LOG_TRANSITIONS',
    allowed: ['all', 'failures'],
    fallback: () => 'failures',
    meaning: "`all`: every change of a job's state is a line, at level `info`",
  },
} as const satisfies { readonly [Name in keyof Tuning]: OptionFor<Tuning[Name]> }

// The boundary where the names of the table get their type.
export const tuningNames = Object.keys(tuningOptions) as (keyof Tuning)[]
