import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import { Engine } from '../../src/index.ts'
import type { Measurement } from '../trials.ts'
import workload from '../workload.ts'

export interface BurstParameters {
  /** Empty; removed by the parent. */
  readonly folder: string
  readonly durability: Durability
  readonly threads: number
  readonly jobs: number
  /** How long each of them keeps its thread busy, but for one. */
  readonly shortMs: number
  readonly slowMs: number
  /** Which of them is the slow one. */
  readonly slowAt: number
}

const warmUpJobs = 50

/**
 * Jobs that are enqueued together, one of which takes far longer than all others. The time runs from the enqueue until
 * the others are done and that is known on the host thread, even if that is after the slow one.
 */
export async function run(parameters: BurstParameters): Promise<Measurement> {
  const { folder, durability, threads, jobs, shortMs, slowMs, slowAt } = parameters
  await using engine = await Engine.start({
    jobs: workload,
    database: join(folder, 'engine.db'),
    durability,
    threads,
  })
  const spin = (ms: number) => ({ type: 'SPIN', payload: { ms } }) as const
  const warm = await engine.enqueueMany(Array.from({ length: warmUpJobs }, () => spin(shortMs)))
  await Promise.all(warm.map((job) => job.result()))

  const startMs = systemClock.monotonicMs()
  const all = await engine.enqueueMany(
    Array.from({ length: jobs }, (_, place) => spin(place === slowAt ? slowMs : shortMs)),
  )
  await Promise.all(all.filter((_, place) => place !== slowAt).map((job) => job.result()))
  const elapsedMs = systemClock.monotonicMs() - startMs
  await all[slowAt]?.result()
  return { units: jobs - 1, elapsedMs }
}
