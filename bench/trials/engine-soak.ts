import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createHistogram } from 'node:perf_hooks'
import { delay, systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import { Engine } from '../../src/index.ts'
import { pace } from '../pacer.ts'
import { median } from '../scenario.ts'
import type { Measurement } from '../trials.ts'
import workload, { noOpJob } from '../workload.ts'

export interface SoakParameters {
  /** Empty; removed by the parent. */
  readonly folder: string
  readonly durability: Durability
  readonly threads: number
  /** A thousand of them and multiples: a group comes each millisecond. */
  readonly jobsPerSecond: number
  /** How long one of its minutes is: what is kept, how often maintenance runs, and what one reading speaks for. */
  readonly minuteMs: number
  readonly minutes: number
  /** WAL and memory go up and down within a second: a minute's value is the median of so many looks. */
  readonly looks: number
}

/** One minute of it. */
export interface SoakMinute {
  /** From when a group of jobs was due until the last of it was acknowledged. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly walMb: number
  readonly rssMb: number
  /** Open handles and requests of the host, and open files of the process. */
  readonly handles: number
  readonly fileMb: number
  readonly doneJobs: number
}

export interface SoakMeasurement extends Measurement {
  readonly minutes: readonly SoakMinute[]
}

/** The pacer's thread has to be there before the first jobs are due. */
const leadMs = 200

/**
 * Jobs that do nothing at an even pace, kept for a minute, with maintenance every minute.
 *
 * @throws when a job is not DONE, or a run of maintenance failed
 */
export async function run(parameters: SoakParameters): Promise<SoakMeasurement> {
  const { folder, durability, threads, jobsPerSecond, minuteMs, minutes, looks } = parameters
  const retentionDays = minuteMs / 86_400_000
  const engine = await Engine.start({
    jobs: workload,
    database: join(folder, 'engine.db'),
    durability,
    threads,
    maintenance: { retentionDays, intervalHours: Math.max(0.001, minuteMs / 3_600_000) },
    metrics: true,
  })
  const failures: string[] = []
  engine.events.on('maintenance-failed', ({ duty, error }) => failures.push(`${duty}: ${error.message}`))
  const latency = createHistogram()
  const enough = new AbortController()
  const waiting = new Set<Promise<void>>()
  let acknowledged = 0
  const enqueue = async (dueMs: number): Promise<void> => {
    const jobs = Math.max(1, Math.round(jobsPerSecond / 1_000))
    await Promise.all(Array.from({ length: jobs }, () => engine.enqueue(noOpJob.type, noOpJob.payload)))
    acknowledged += jobs
    latency.record(Math.max(1, Math.round((systemClock.monotonicMs() - dueMs) * 1_000)))
  }
  const order = { startMs: systemClock.monotonicMs() + leadMs, everyMs: 1, arrivals: minutes * minuteMs * 2 }
  const pacing = pace(
    order,
    (dueMs) => {
      const group = enqueue(dueMs).finally(() => waiting.delete(group))
      waiting.add(group)
    },
    enough.signal,
  )
  const readings: SoakMinute[] = []
  const startMs = systemClock.monotonicMs()
  try {
    for (let minute = 0; minute < minutes; minute++) {
      latency.reset()
      const [wal, rss]: [number[], number[]] = [[], []]
      for (let look = 0; look < looks; look++) {
        await delay(minuteMs / looks)
        wal.push((await engine.stats()).walBytes / 1e6)
        rss.push(process.memoryUsage.rss() / 1e6)
      }
      readings.push({
        p50Ms: latency.percentile(50) / 1_000,
        p99Ms: latency.percentile(99) / 1_000,
        walMb: median(wal),
        rssMb: median(rss),
        handles: process.getActiveResourcesInfo().length + openFiles(),
        ...(await sizeOf(engine)),
      })
    }
    enough.abort()
    await pacing
    await Promise.all(waiting)
    await engine.idle()
    const { jobs } = await engine.stats()
    const others = Object.entries(jobs).filter(([state, count]) => state !== 'DONE' && count > 0)
    if (others.length > 0) throw new Error(`Not every job is done: ${JSON.stringify(others)}`)
    if (failures.length > 0) throw new Error(`Maintenance failed: ${failures.join('; ')}`)
  } finally {
    enough.abort()
    await engine.stop()
  }
  return { units: acknowledged, elapsedMs: systemClock.monotonicMs() - startMs, minutes: readings }
}

async function sizeOf(engine: Engine): Promise<Pick<SoakMinute, 'fileMb' | 'doneJobs'>> {
  const bytes = /^semantica_database_bytes(?:\{[^}]*\})? (\S+)$/m.exec(await engine.metrics.text())
  return { fileMb: Number(bytes?.[1] ?? 0) / 1e6, doneJobs: (await engine.stats()).jobs.DONE }
}

/** None where the system does not tell. */
function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}
