import type { MessagePort } from 'node:worker_threads'
import { limits } from '../config.ts'
import type { ThreadHost } from './boot-thread.ts'
import type { SupervisorSurroundings } from './surroundings.ts'

export interface PoolSettings {
  readonly threads: number
  readonly databaseId: string
  readonly moduleUrls: readonly string[]
  /** The types that these modules must serve in a thread. */
  readonly jobTypes: readonly string[]
  readonly setupUrl: string | undefined
  /** Of the heap of each thread. */
  readonly threadMemoryMb: number
  /** A thread that has run so many jobs is replaced, when it has nothing left. 0: never. */
  readonly recycleAfterJobs: number
  /** The same for one that holds more memory after a batch. */
  readonly recycleAboveMb: number
  /** By so much it lets other threads of the machine go before it. */
  readonly threadNiceness: number
  /** Real path of the database: the files of jobs lie beside it. */
  readonly database: string
  /** Size of a job's log, from which it goes on in a new file. */
  readonly jobLogBytes: number
  /** How long a thread may take to load these modules. */
  readonly loadTimeoutMs: number
  /** Threads that are on their way already; they are taken out as they are put to use. */
  readonly booted: ThreadHost[]
  /** Fresh ports to the actors, for one thread. */
  connectActors(): Readonly<Record<string, MessagePort>>
}

export function poolSettings(
  { start, database, databaseId, booted }: SupervisorSurroundings,
  connectActors: PoolSettings['connectActors'],
): PoolSettings {
  return {
    threads: start.threads,
    databaseId,
    moduleUrls: start.moduleUrls,
    jobTypes: Object.keys(start.jobTypes),
    setupUrl: start.setupUrl,
    threadMemoryMb: start.threadMemoryMb,
    recycleAfterJobs: start.recycleAfterJobs,
    recycleAboveMb: start.recycleAboveMb,
    threadNiceness: start.threadNiceness,
    database: database.name,
    jobLogBytes: start.jobLogBytes,
    loadTimeoutMs: limits.loadTimeoutMs,
    booted,
    connectActors,
  }
}
