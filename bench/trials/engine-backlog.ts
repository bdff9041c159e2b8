import { delay, systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import { Engine } from '../../src/index.ts'
import { openReader } from '../../src/store/open.ts'
import type { Measurement } from '../trials.ts'
import workload from '../workload.ts'

export interface EngineBacklogParameters {
  /** A database that holds a backlog. */
  readonly path: string
  readonly durability: Durability
  readonly threads: number
  /** So many jobs are finished; the numbers of the backlog follow theirs. */
  readonly finished: number
  /** Jobs of the backlog that the engine does before it is stopped. */
  readonly jobs: number
}

export interface EngineBacklogMeasurement extends Measurement {
  /** From the call of `Engine.start` to the first line of the first handler. */
  readonly firstJobMs: number
  /** The most memory that the process ever had. */
  readonly rssMb: number
}

/** As many of the first jobs of the backlog as can be the first to begin. */
const firstJobs = 1_000
const pollMs = 10
const bytesPerKilobyte = 1_024

/** An engine that is started on a database with much in it, and works on that for a while. */
export async function run(parameters: EngineBacklogParameters): Promise<EngineBacklogMeasurement> {
  const { path, durability, threads, finished, jobs } = parameters
  const startMs = systemClock.monotonicMs()
  // What has finished long ago is to stay.
  const engine = await Engine.start({
    jobs: workload,
    database: path,
    durability,
    threads,
    maintenance: false,
  })
  let done = 0
  let elapsedMs: number
  let rssMb: number
  try {
    const readyMs = systemClock.monotonicMs()
    while (done < jobs) {
      await delay(pollMs)
      done = (await engine.stats()).jobs.DONE - finished
    }
    elapsedMs = systemClock.monotonicMs() - readyMs
    rssMb = (process.resourceUsage().maxRSS * bytesPerKilobyte) / 1e6
  } finally {
    await engine.stop()
  }
  const reader = openReader(path)
  const stamps = reader
    .prepare("SELECT result FROM jobs WHERE seq > ? AND state = 'DONE' ORDER BY seq LIMIT ?")
    .pluck()
    .all(finished, firstJobs)
  reader.close()
  return { units: done, elapsedMs, firstJobMs: Math.min(...stamps.map(Number)) - startMs, rssMb }
}
