import { join } from 'node:path'
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import { Engine } from '../../src/index.ts'
import { openReader } from '../../src/store/open.ts'
import { pace } from '../pacer.ts'
import type { Measurement } from '../trials.ts'
import workload, { stampJobType } from '../workload.ts'

export interface LatencyParameters {
  /** Empty; removed by the parent. */
  readonly folder: string
  readonly durability: Durability
  readonly threads: number
  readonly jobsPerSecond: number
  readonly warmUpJobs: number
  readonly jobs: number
}

export interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

export interface LatencyMeasurement extends Measurement {
  /** How late the producer itself was: part of both others. */
  readonly producedMs: Percentiles
  readonly acknowledgedMs: Percentiles
  readonly startedMs: Percentiles
}

/** The pacer's thread has to be there before the first job is due. */
const leadMs = 200

/**
 * Jobs that come at an even pace, whatever the engine does with them. Each time counts from the instant at which the job
 * was due, so that a stalled producer hides nothing: to the end of `enqueue`, and to the first line of the handler.
 *
 * @throws when not every job is DONE
 */
export async function run(parameters: LatencyParameters): Promise<LatencyMeasurement> {
  const { folder, durability, threads, jobsPerSecond, warmUpJobs, jobs } = parameters
  const database = join(folder, 'engine.db')
  const engine = await Engine.start({ jobs: workload, database, durability, threads })
  const arrivals = warmUpJobs + jobs
  const everyMs = 1_000 / jobsPerSecond
  const startMs = systemClock.monotonicMs() + leadMs
  const measuredFromMs = startMs + warmUpJobs * everyMs
  const [produced, acknowledged, started] = [createHistogram(), createHistogram(), createHistogram()]
  try {
    const enqueued: Promise<void>[] = []
    const enqueue = async (dueMs: number): Promise<void> => {
      const isMeasured = dueMs >= measuredFromMs
      if (isMeasured) record(produced, systemClock.monotonicMs() - dueMs)
      await engine.enqueue(stampJobType)
      if (isMeasured) record(acknowledged, systemClock.monotonicMs() - dueMs)
    }
    await pace({ startMs, everyMs, arrivals }, (dueMs) => enqueued.push(enqueue(dueMs)))
    await Promise.all(enqueued)
    await engine.idle()
  } finally {
    await engine.stop()
  }
  const stampsMs = readStamps(database)
  if (stampsMs.length !== arrivals) throw new Error(`${stampsMs.length} of ${arrivals} jobs are done`)
  for (const [arrival, stampMs] of stampsMs.entries()) {
    if (arrival >= warmUpJobs) record(started, stampMs - (startMs + arrival * everyMs))
  }
  return {
    units: jobs,
    elapsedMs: jobs * everyMs,
    producedMs: percentilesOf(produced),
    acknowledgedMs: percentilesOf(acknowledged),
    startedMs: percentilesOf(started),
  }
}

/** When each handler began, in the order in which the jobs came. */
function readStamps(database: string): number[] {
  const reader = openReader(database)
  const results = reader.prepare("SELECT result FROM jobs WHERE state = 'DONE' ORDER BY seq").pluck().all()
  reader.close()
  return results.map(Number)
}

/** In whole microseconds, from 1: what a histogram can hold. */
function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.max(1, Math.round(ms * 1_000)))
}

function percentilesOf(histogram: RecordableHistogram): Percentiles {
  const ms = (percentile: number) => histogram.percentile(percentile) / 1_000
  return { p50: ms(50), p99: ms(99), p999: ms(99.9) }
}
