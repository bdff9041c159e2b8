import { createHistogram } from 'node:perf_hooks'
import { systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import { Engine } from '../../src/index.ts'
import { openReader } from '../../src/store/open.ts'
import { sharedTag } from '../backlog.ts'
import { pace } from '../pacer.ts'
import type { Measurement } from '../trials.ts'
import workload, { stampJobType } from '../workload.ts'

export interface CancelManyParameters {
  /** A database with a backlog of which a share has the tag. */
  readonly path: string
  readonly durability: Durability
  readonly threads: number
  /** What comes meanwhile, at an even pace, before the backlog. */
  readonly jobsPerSecond: number
  /** How long it comes before the cancel, and at least in all. */
  readonly leadMs: number
  readonly paceMs: number
}

export interface CancelManyMeasurement extends Measurement {
  /** How late an enqueue was acknowledged while the cancel was under way. */
  readonly acknowledgedP99Ms: number
  readonly acknowledgedMaxMs: number
}

const priority = 10

/**
 * One cancel by tag while the pool works on the backlog and others go on enqueuing. Its time runs from the call to the
 * reply, which comes after the last slice.
 *
 * @throws when a job with the tag is left that has not ended, or the reply counts others than have ended so
 */
export async function run(parameters: CancelManyParameters): Promise<CancelManyMeasurement> {
  const { path, durability, threads, jobsPerSecond, leadMs, paceMs } = parameters
  const engine = await Engine.start({
    jobs: workload,
    database: path,
    durability,
    threads,
    logLevel: 'silent',
  })
  const acknowledged = createHistogram()
  let isUnderWay = false
  let elapsedMs: number
  let units: number
  try {
    const everyMs = 1_000 / jobsPerSecond
    const startMs = systemClock.monotonicMs() + leadMs
    const enqueued: Promise<void>[] = []
    const enqueue = async (dueMs: number): Promise<void> => {
      await engine.enqueue(stampJobType, undefined, { priority })
      // In whole microseconds, from 1: what a histogram can hold.
      if (isUnderWay)
        acknowledged.record(Math.max(1, Math.round((systemClock.monotonicMs() - dueMs) * 1_000)))
    }
    let begin = () => {}
    const warm = new Promise<void>((resolve) => {
      begin = resolve
    })
    const paced = pace({ startMs, everyMs, arrivals: Math.round(paceMs / everyMs) }, (dueMs) => {
      if (dueMs - startMs >= leadMs) begin()
      enqueued.push(enqueue(dueMs))
    })
    await warm
    isUnderWay = true
    const calledMs = systemClock.monotonicMs()
    const { waiting, running } = await engine.cancel({ userTag: sharedTag })
    elapsedMs = systemClock.monotonicMs() - calledMs
    isUnderWay = false
    units = waiting + running
    await paced
    await Promise.all(enqueued)
  } finally {
    await engine.stop()
  }
  checkRows(path, units)
  return {
    units,
    elapsedMs,
    acknowledgedP99Ms: acknowledged.percentile(99) / 1_000,
    acknowledgedMaxMs: acknowledged.max / 1_000,
  }
}

function checkRows(path: string, told: number): void {
  const reader = openReader(path)
  const [left, cancelled] = ['finished_at IS NULL', "state = 'CANCELLED'"].map((condition) =>
    Number(
      reader.prepare(`SELECT COUNT(*) FROM jobs WHERE user_tag = ? AND ${condition}`).pluck().get(sharedTag),
    ),
  )
  reader.close()
  if (left !== 0) throw new Error(`${left} jobs with the tag have not ended`)
  if (cancelled !== told) throw new Error(`${told} jobs were told to be cancelled, ${cancelled} are`)
}
