import { closeSync, copyFileSync, fsyncSync, openSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { delay, systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import { Engine } from '../../src/index.ts'
import { closeWriter } from '../../src/store/close.ts'
import { openWriter } from '../../src/store/open.ts'
import { pace } from '../pacer.ts'
import type { Measurement } from '../trials.ts'
import workload, { noOpJob } from '../workload.ts'

export interface MaintenanceParameters {
  /** Empty; removed by the parent. */
  readonly folder: string
  /** The database that it begins with. It stays as it is. */
  readonly template: string
  readonly durability: Durability
  readonly threads: number
  /** Jobs come as fast as they are acknowledged, or at an even pace of half of what that gave a moment before. */
  readonly speed: 'full' | 'half'
  readonly warmUpMs: number
  /** How long it is measured without maintenance, and how long full speed is measured before it is halved. */
  readonly measureMs: number
}

/** What was seen from one moment to another. */
export interface MeasuredWindow extends Measurement {
  /** From when a job was due, or enqueued, until it was acknowledged. */
  readonly acknowledgedMs: { readonly p50: number; readonly p999: number; readonly longest: number }
}

export interface MaintenanceMeasurement extends MeasuredWindow {
  /** The same engine at the same pace, just before maintenance began. */
  readonly without: MeasuredWindow
  readonly deletedJobs: number
  readonly reclaimedBytes: number
  /** Size of the file at the end, and what it would be if it were written anew. */
  readonly fileBytes: number
  readonly packedBytes: number
}

/** As many as wait for their acknowledgement at a time in the scenario `throughput`. */
const groups = 4
const groupJobs = 500
/** The pacer's thread has to be there before the first jobs are due. */
const leadMs = 200
/** Longer than any run: the pacer is told when it is enough. */
const maxArrivals = 3_600_000

/**
 * Jobs that do nothing, first without and then beside maintenance of a large database, in one process: the machine is
 * not as fast in each minute.
 *
 * @throws when not every job is DONE
 */
export async function run(parameters: MaintenanceParameters): Promise<MaintenanceMeasurement> {
  const { folder, template, durability, threads } = parameters
  const database = join(folder, 'engine.db')
  copyToDisk(template, database)
  const engine = await Engine.start({
    jobs: workload,
    database,
    durability,
    threads,
    maintenance: false,
    logLevel: 'silent',
    // What comes at its pace does not wait for what is late: that is to be seen in the figures, not refused.
    maxPendingJobs: 10_000_000,
    maxPendingCharacters: 1_000_000_000,
  })
  let measured: Omit<MaintenanceMeasurement, 'fileBytes' | 'packedBytes'>
  try {
    const before = await doneJobs(engine)
    const load = new Load(engine)
    measured = await measure(engine, load, parameters)
    await engine.idle()
    const after = await doneJobs(engine)
    if (after !== before - measured.deletedJobs + load.acknowledged)
      throw new Error(`${after} jobs are done, and ${load.acknowledged} of them should be new ones`)
  } finally {
    await engine.stop()
  }
  return { ...measured, ...sizesOf(database, folder) }
}

async function measure(engine: Engine, load: Load, { speed, warmUpMs, measureMs }: MaintenanceParameters) {
  await load.start(undefined)
  try {
    await delay(warmUpMs)
    if (speed === 'half') {
      const { window: full } = await measureWindow(engine, load, () => delay(measureMs))
      await load.stop()
      await load.start((full.units / full.elapsedMs / 2) * 1_000)
      await delay(warmUpMs)
    }
    const { window: without } = await measureWindow(engine, load, () => delay(measureMs))
    const { window, result } = await measureWindow(engine, load, async () => {
      const maintained = engine.maintenance.runNow()
      await Promise.race([hasCompacted(engine), maintained])
      return { maintained }
    })
    await load.stop()
    const { deletedJobs, reclaimedBytes } = await result.maintained
    return { ...window, units: window.units + deletedJobs, without, deletedJobs, reclaimedBytes }
  } finally {
    await load.stop()
  }
}

async function measureWindow<Result>(
  engine: Engine,
  load: Load,
  during: () => Promise<Result>,
): Promise<{ readonly window: MeasuredWindow; readonly result: Result }> {
  const latency = createHistogram()
  const before = await doneJobs(engine)
  const startMs = systemClock.monotonicMs()
  load.latency = latency
  const result = await during()
  load.latency = undefined
  const units = (await doneJobs(engine)) - before
  const elapsedMs = systemClock.monotonicMs() - startMs
  const ms = (percentile: number) => latency.percentile(percentile) / 1_000
  const acknowledgedMs = { p50: ms(50), p999: ms(99.9), longest: latency.max / 1_000 }
  return { window: { units, elapsedMs, acknowledgedMs }, result }
}

async function doneJobs(engine: Engine): Promise<number> {
  return (await engine.stats()).jobs.DONE
}

/** Told about a second later, with the first that is known of the duty that comes next. */
function hasCompacted(engine: Engine): Promise<void> {
  return new Promise((resolve) => {
    engine.events.on('maintenance-progress', ({ duty }) => {
      if (duty === 'check-integrity') resolve()
    })
  })
}

class Load {
  readonly #engine: Engine
  #enough = new AbortController()
  #running: Promise<unknown> = Promise.resolve()
  /** Takes what is enqueued now when it is acknowledged; undefined: it is not measured. */
  latency: RecordableHistogram | undefined
  acknowledged = 0

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Resolves with the first acknowledgement: the pacer's thread takes its time to start. */
  async start(jobsPerSecond: number | undefined): Promise<void> {
    this.#enough = new AbortController()
    const begun = Promise.withResolvers<void>()
    this.#running =
      jobsPerSecond === undefined
        ? Promise.all(Array.from({ length: groups }, () => this.#produce(begun.resolve)))
        : this.#producePaced(jobsPerSecond, begun.resolve)
    // One that fails before the first acknowledgement fails the start.
    await Promise.race([begun.promise, this.#running])
  }

  /** Resolves when all is acknowledged. */
  async stop(): Promise<void> {
    this.#enough.abort()
    await this.#running
  }

  async #produce(begun: () => void): Promise<void> {
    while (!this.#enough.signal.aborted) {
      await this.#enqueue(groupJobs, systemClock.monotonicMs())
      begun()
    }
  }

  /** A group each millisecond. */
  async #producePaced(jobsPerSecond: number, begun: () => void): Promise<void> {
    const order = { startMs: systemClock.monotonicMs() + leadMs, everyMs: 1, arrivals: maxArrivals }
    const waiting = new Set<Promise<void>>()
    const jobs = Math.max(1, Math.round(jobsPerSecond / 1_000))
    await pace(
      order,
      (dueMs) => {
        const group = this.#enqueue(jobs, dueMs)
          .then(begun)
          .finally(() => waiting.delete(group))
        waiting.add(group)
      },
      this.#enough.signal,
    )
    await Promise.all(waiting)
  }

  /** The jobs of one turn travel together: the last to be acknowledged speaks for all. */
  async #enqueue(jobs: number, dueMs: number): Promise<void> {
    const { latency } = this
    await Promise.all(Array.from({ length: jobs }, () => this.#engine.enqueue(noOpJob.type, noOpJob.payload)))
    this.acknowledged += jobs
    latency?.record(Math.max(1, Math.round((systemClock.monotonicMs() - dueMs) * 1_000)))
  }
}

/** Whole on the disk: what the system writes back of it later would hold up the engine's own writes. */
function copyToDisk(from: string, to: string): void {
  copyFileSync(from, to)
  const copy = openSync(to, 'r+')
  fsyncSync(copy)
  closeSync(copy)
}

function sizesOf(path: string, folder: string): Pick<MaintenanceMeasurement, 'fileBytes' | 'packedBytes'> {
  const packed = join(folder, 'packed.db')
  const database = openWriter({ path, durability: 'process' })
  database.prepare('VACUUM INTO ?').run(packed)
  closeWriter(database)
  const sizes = { fileBytes: statSync(path).size, packedBytes: statSync(packed).size }
  rmSync(packed)
  return sizes
}
