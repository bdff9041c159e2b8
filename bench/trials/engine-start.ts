import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import type { Measurement } from '../trials.ts'

export interface EngineStartParameters {
  /** Empty; removed by the parent. */
  readonly folder: string
  readonly durability: Durability
  readonly threads: number
}

export interface EngineStartMeasurement extends Measurement {
  /** From before the package is loaded until `Engine.start` has resolved. */
  readonly readyMs: number
  /** How long the stop takes. */
  readonly stopMs: number
}

/** A new database, and one job: from before the package is loaded until its end is known on the host thread. */
export async function run({
  folder,
  durability,
  threads,
}: EngineStartParameters): Promise<EngineStartMeasurement> {
  const startMs = systemClock.monotonicMs()
  const [{ Engine }, { default: workload, noOpJob }] = await Promise.all([
    import('../../src/index.ts'),
    import('../workload.ts'),
  ])
  const engine = await Engine.start({
    jobs: workload,
    database: join(folder, 'engine.db'),
    durability,
    threads,
  })
  const readyMs = systemClock.monotonicMs() - startMs
  const job = await engine.enqueue(noOpJob.type, noOpJob.payload)
  await job.result()
  const doneAtMs = systemClock.monotonicMs()
  await engine.stop()
  return {
    units: 1,
    elapsedMs: doneAtMs - startMs,
    readyMs,
    stopMs: systemClock.monotonicMs() - doneAtMs,
  }
}
