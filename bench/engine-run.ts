/**
 * Jobs through a whole engine: from the host thread through supervisor and pool threads to settled.
 *
 * The time runs from the first enqueue until the engine is idle, which it says after the commit of the last outcome.
 * Start of engine and threads, a warm-up and the stop are not in it.
 */
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock } from '../src/clock.ts'
import type { Durability, Tuning } from '../src/config.ts'
import { Engine } from '../src/index.ts'
import { openReader } from '../src/store/open.ts'
import type { EngineMeasurement } from './trials.ts'
import workload from './workload.ts'

/** What is logged, and how. */
export type Logging = Pick<Tuning, 'logLevel' | 'logFormat' | 'logTransitions'>

export interface EngineRunParameters extends ProducerWindow {
  /** Empty; removed by the parent. */
  readonly folder: string
  readonly durability: Durability
  readonly threads: number
  /** Jobs before the time begins. */
  readonly warmUpJobs: number
  readonly jobs: number
  /** Default: as of an engine that is told nothing. */
  readonly logging?: Logging
}

/**
 * So many groups, of so many jobs enqueued in one turn, wait for their acknowledgement at a time. It should keep the
 * engine busy without a backlog, whose jobs have to be claimed in a second write.
 */
export interface ProducerWindow {
  readonly groups: number
  readonly groupJobs: number
}

interface EnqueuedJob {
  readonly type: 'NO_OP' | 'HASH'
  readonly payload: unknown
}

interface WorkloadJob extends EnqueuedJob {
  /** What each job must leave behind. */
  readonly result: string | null
}

/** @throws when not every job is DONE with the expected result */
export async function measureEngine(
  parameters: EngineRunParameters,
  job: WorkloadJob,
): Promise<EngineMeasurement> {
  const { folder, durability, threads, warmUpJobs, jobs, logging } = parameters
  const database = join(folder, 'engine.db')
  const engine = await Engine.start({ jobs: workload, database, durability, threads, ...logging })
  // The longest gap between two firings of a native timer of 1 ms: that millisecond, the producer's own turns, garbage
  // collection, and what the system gives to others meanwhile are all in it.
  const loopDelay = monitorEventLoopDelay({ resolution: 1 })
  let elapsedMs: number
  try {
    await enqueueAll(engine, job, warmUpJobs, parameters)
    await engine.idle()
    loopDelay.enable()
    const startMs = systemClock.monotonicMs()
    await enqueueAll(engine, job, jobs, parameters)
    await engine.idle()
    elapsedMs = systemClock.monotonicMs() - startMs
  } finally {
    loopDelay.disable()
    await engine.stop()
  }
  const reader = openReader(database)
  const count = reader.prepare("SELECT COUNT(*) FROM jobs WHERE state = 'DONE' AND result IS ?").pluck()
  const done = Number(count.get(job.result === null ? null : JSON.stringify(job.result)))
  reader.close()
  if (done !== warmUpJobs + jobs)
    throw new Error(`${done} of ${warmUpJobs + jobs} jobs are as they should be`)
  return { units: jobs, elapsedMs, longestStallMs: loopDelay.max / 1e6 }
}

/** Resolves when all of them are acknowledged. */
export async function enqueueAll(
  engine: Engine,
  { type, payload }: EnqueuedJob,
  jobs: number,
  { groups, groupJobs }: ProducerWindow,
): Promise<void> {
  let left = jobs
  const produce = async (): Promise<void> => {
    while (left > 0) {
      const group = Math.min(groupJobs, left)
      left -= group
      await Promise.all(Array.from({ length: group }, () => engine.enqueue(type, payload)))
    }
  }
  await Promise.all(Array.from({ length: groups }, produce))
}
