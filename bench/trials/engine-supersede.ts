import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import { Engine } from '../../src/index.ts'
import { openReader } from '../../src/store/open.ts'
import type { Measurement } from '../trials.ts'
import workload from '../workload.ts'

export interface SupersedeParameters {
  /** Empty; removed by the parent. */
  readonly folder: string
  readonly durability: Durability
  readonly threads: number
  readonly subjects: number
  /** Enqueued in one turn, one subject after the other. */
  readonly jobs: number
  /** How long each of them keeps its thread busy. */
  readonly jobMs: number
}

export interface SupersedeMeasurement extends Measurement {
  /** Jobs whose handler never began. */
  readonly neverRan: number
}

/**
 * Many versions of few subjects, all at once. The time runs from the first enqueue until nothing is left to do.
 *
 * @throws when the latest version of a subject did not run, or another one ended otherwise than DONE or SUPERSEDED
 */
export async function run(parameters: SupersedeParameters): Promise<SupersedeMeasurement> {
  const { folder, durability, threads, subjects, jobs, jobMs } = parameters
  const database = join(folder, 'engine.db')
  const engine = await Engine.start({ jobs: workload, database, durability, threads })
  let elapsedMs: number
  try {
    const startMs = systemClock.monotonicMs()
    await Promise.all(
      Array.from({ length: jobs }, (_, place) =>
        engine.enqueue('SPIN', { ms: jobMs }, { subjectKey: `subject ${place % subjects}` }),
      ),
    )
    await engine.idle()
    elapsedMs = systemClock.monotonicMs() - startMs
  } finally {
    await engine.stop()
  }
  return { units: jobs, elapsedMs, neverRan: countNeverRan(database, parameters) }
}

function countNeverRan(database: string, { subjects, jobs }: SupersedeParameters): number {
  const reader = openReader(database)
  const count = (condition: string) =>
    Number(reader.prepare(`SELECT COUNT(*) FROM jobs WHERE ${condition}`).pluck().get())
  const ended = count("state IN ('DONE', 'SUPERSEDED')")
  // Each subject has as many versions, so the last of them all are the latest ones.
  const latest = count(`seq > ${jobs - subjects} AND state = 'DONE' AND started_at IS NOT NULL`)
  const neverRan = count('started_at IS NULL')
  const retried = Number(reader.prepare('SELECT COUNT(*) FROM attempts').pluck().get())
  reader.close()
  if (ended !== jobs || retried > 0)
    throw new Error(`${ended} of ${jobs} jobs are done or superseded, ${retried} attempts failed`)
  if (latest !== subjects) throw new Error(`Of ${latest} of ${subjects} subjects the latest version has run`)
  return neverRan
}
