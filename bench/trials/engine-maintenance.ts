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
  /** Jobs that come at an even pace; undefined: as fast as they are acknowledged. */
  readonly jobsPerSecond: number | undefined
  readonly warmUpMs: number
  /** How long it is measured; undefined: while maintenance prunes and compacts, from its start to its end. */
  readonly measureMs: number | undefined
}

export interface MaintenanceMeasurement extends Measurement {
  /** From when a job was due, or enqueued, until it was acknowledged. */
  readonly acknowledgedMs: { readonly p50: number; readonly p999: number; readonly longest: number }
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

/** Jobs that do nothing, beside maintenance of a large database or without it. @throws when not every job is DONE */
export async function run(parameters: MaintenanceParameters): Promise<MaintenanceMeasurement> {
  const { folder, template, durability, threads, jobsPerSecond, warmUpMs, measureMs } = parameters
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
  const load = new Load(engine, jobsPerSecond)
  let measured: { units: number; elapsedMs: number; deletedJobs: number; reclaimedBytes: number }
  try {
    const before = (await engine.stats()).jobs.DONE
    const loading = load.run()
    await load.begun
    await delay(warmUpMs)
    measured = await measureWindow(engine, load, measureMs)
    await loading
    await engine.idle()
    const after = (await engine.stats()).jobs.DONE
    if (after !== before - measured.deletedJobs + load.acknowledged)
      throw new Error(`${after} jobs are done, and ${load.acknowledged} of them should be new ones`)
  } finally {
    load.stop()
    await engine.stop()
  }
  return { ...measured, acknowledgedMs: load.percentiles(), ...sizesOf(database, folder) }
}

/** Ends with the load stopped, and with maintenance when its last duty has read the database: that is not measured. */
async function measureWindow(engine: Engine, load: Load, measureMs: number | undefined) {
  const before = (await engine.stats()).jobs.DONE
  const startMs = systemClock.monotonicMs()
  load.isMeasured = true
  const maintained = measureMs === undefined ? engine.maintenance.runNow() : undefined
  if (measureMs === undefined) await Promise.race([hasCompacted(engine), maintained])
  else await delay(measureMs)
  load.isMeasured = false
  const done = (await engine.stats()).jobs.DONE - before
  const elapsedMs = systemClock.monotonicMs() - startMs
  load.stop()
  const { deletedJobs = 0, reclaimedBytes = 0 } = (await maintained) ?? {}
  return { units: done + deletedJobs, elapsedMs, deletedJobs, reclaimedBytes }
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
  readonly #jobsPerSecond: number | undefined
  readonly #latency: RecordableHistogram = createHistogram()
  readonly #enough = new AbortController()
  readonly #begun = Promise.withResolvers<void>()
  /** Resolves with the first acknowledgement: the pacer's thread takes its time to start. */
  readonly begun = this.#begun.promise
  isMeasured = false
  acknowledged = 0

  constructor(engine: Engine, jobsPerSecond: number | undefined) {
    this.#engine = engine
    this.#jobsPerSecond = jobsPerSecond
  }

  /** Resolves when it was stopped and all is acknowledged. */
  async run(): Promise<void> {
    if (this.#jobsPerSecond === undefined)
      await Promise.all(Array.from({ length: groups }, () => this.#produce()))
    else await this.#producePaced(this.#jobsPerSecond)
  }

  stop(): void {
    this.#enough.abort()
  }

  percentiles(): MaintenanceMeasurement['acknowledgedMs'] {
    const ms = (percentile: number) => this.#latency.percentile(percentile) / 1_000
    return { p50: ms(50), p999: ms(99.9), longest: this.#latency.max / 1_000 }
  }

  async #produce(): Promise<void> {
    while (!this.#enough.signal.aborted) await this.#enqueue(groupJobs, systemClock.monotonicMs())
  }

  /** A group each millisecond. */
  async #producePaced(jobsPerSecond: number): Promise<void> {
    const order = { startMs: systemClock.monotonicMs() + leadMs, everyMs: 1, arrivals: maxArrivals }
    const waiting = new Set<Promise<void>>()
    const jobs = Math.max(1, Math.round(jobsPerSecond / 1_000))
    await pace(
      order,
      (dueMs) => {
        const group = this.#enqueue(jobs, dueMs).finally(() => waiting.delete(group))
        waiting.add(group)
      },
      this.#enough.signal,
    )
    await Promise.all(waiting)
  }

  /** The jobs of one turn travel together: the last to be acknowledged speaks for all. */
  async #enqueue(jobs: number, dueMs: number): Promise<void> {
    const { isMeasured } = this
    await Promise.all(Array.from({ length: jobs }, () => this.#engine.enqueue(noOpJob.type, noOpJob.payload)))
    this.acknowledged += jobs
    this.#begun.resolve()
    const waitedMs = systemClock.monotonicMs() - dueMs
    if (isMeasured) this.#latency.record(Math.max(1, Math.round(waitedMs * 1_000)))
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
