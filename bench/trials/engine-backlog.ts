import { delay, systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import { Engine } from '../../src/index.ts'
import { openReader } from '../../src/store/open.ts'
import { sharedMs } from '../shared-clock.ts'
import type { Measurement } from '../trials.ts'
import workload from '../workload.ts'

export interface EngineBacklogParameters {
  /** A database that holds a backlog. */
  readonly path: string
  readonly durability: Durability
  readonly threads: number
  /** The first job of the backlog. */
  readonly firstSeq: number
  /** How long the engine works on it. */
  readonly workMs: number
}

export interface EngineBacklogMeasurement extends Measurement {
  /** From the call of `Engine.start` to the first line of the first handler. */
  readonly firstJobMs: number
  /** The most memory that the process ever had. */
  readonly rssMb: number
}

/** As many of the first jobs of the backlog as can be the first to begin. */
const firstJobs = 1_000

/**
 * An engine that is started on a database with much in it, and works on that for a while.
 *
 * @throws when no job was done
 */
export async function run(parameters: EngineBacklogParameters): Promise<EngineBacklogMeasurement> {
  const { path, durability, threads, firstSeq, workMs } = parameters
  const startMs = sharedMs()
  const engine = await Engine.start({ jobs: workload, database: path, durability, threads })
  const readyMs = systemClock.monotonicMs()
  await delay(workMs)
  const elapsedMs = systemClock.monotonicMs() - readyMs
  // In kilobytes.
  const rssMb = process.resourceUsage().maxRSS / 1_000
  await engine.stop()
  const reader = openReader(path)
  const done = Number(
    reader.prepare("SELECT COUNT(*) FROM jobs WHERE seq >= ? AND state = 'DONE'").pluck().get(firstSeq),
  )
  const stamps = reader
    .prepare('SELECT result FROM jobs WHERE seq >= ? AND result IS NOT NULL ORDER BY seq LIMIT ?')
    .pluck()
    .all(firstSeq, firstJobs)
  reader.close()
  if (done === 0) throw new Error('No job of the backlog is done')
  return { units: done, elapsedMs, firstJobMs: Math.min(...stamps.map(Number)) - startMs, rssMb }
}
