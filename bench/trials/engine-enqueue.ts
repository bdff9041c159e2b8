import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import { Engine } from '../../src/index.ts'
import { openReader } from '../../src/store/open.ts'
import { enqueueAll, type ProducerWindow } from '../engine-run.ts'
import type { Measurement } from '../trials.ts'
import workload, { noOpJob } from '../workload.ts'

export interface EnqueueParameters extends ProducerWindow {
  /** Empty; removed by the parent. */
  readonly folder: string
  readonly durability: Durability
  /** Jobs before the time begins. */
  readonly warmUpJobs: number
  readonly jobs: number
}

/**
 * Jobs that are only acknowledged: the one thread is held by a job that waits, so that all others stay in the backlog.
 * The time runs until the last of them is known to be durable on the host thread.
 *
 * @throws when not every job is stored, or one has run
 */
export async function run(parameters: EnqueueParameters): Promise<Measurement> {
  const { folder, durability, warmUpJobs, jobs } = parameters
  const database = join(folder, 'engine.db')
  const engine = await Engine.start({ jobs: workload, database, durability, threads: 1 })
  let elapsedMs: number
  try {
    await engine.enqueue('OCCUPY')
    await enqueueAll(engine, noOpJob, warmUpJobs, parameters)
    const startMs = systemClock.monotonicMs()
    await enqueueAll(engine, noOpJob, jobs, parameters)
    elapsedMs = systemClock.monotonicMs() - startMs
  } finally {
    await engine.stop()
  }
  const reader = openReader(database)
  const count = reader.prepare("SELECT COUNT(*) FROM jobs WHERE state = 'QUEUED' AND job_type = ?").pluck()
  const queued = Number(count.get(noOpJob.type))
  reader.close()
  if (queued !== warmUpJobs + jobs) throw new Error(`${queued} of ${warmUpJobs + jobs} jobs are queued`)
  return { units: jobs, elapsedMs }
}
