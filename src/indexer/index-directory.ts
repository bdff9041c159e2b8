import { existsSync } from 'node:fs'
import { basename, relative } from 'node:path'
import { afterThisTurn, systemClock } from '../clock.ts'
import { checkSettings, maxStopGraceMs, readSources, type SourceOptions, type Tuning } from '../config.ts'
import type { Engine } from '../engine/engine.ts'
import { checkIndexOptions } from './check-options.ts'
import { type Discovery, discoverFiles, type PathFailure, resolveDirectory } from './discover.ts'
import type { IndexFilePayload } from './index-jobs.ts'
import { indexWriterName, type SingleMessage } from './index-messages.ts'
import { assertIndexOf, hasOpenRun, readSnapshot } from './index-snapshot.ts'
import { readTotals } from './index-totals.ts'
import { JobWatch } from './job-watch.ts'
import { type FileToRead, type Plan, planRun } from './plan.ts'
import { type IndexProgress, RunTally } from './run-tally.ts'
import type { SkipReason } from './source-file.ts'
import { prepareStateFolder, type StatePaths, statePaths } from './state-folder.ts'
import { subjectKeyOf } from './subject.ts'

export interface IndexOptions extends SourceOptions {
  /** The directory to index. */
  readonly directory: string
  /** Where jobs and index are kept. Default `<directory>/.semantica`. */
  readonly stateFolder?: string
  /** Threads that parse. Default: one for each core. */
  readonly threads?: number
  /** Larger files are skipped. In bytes, default 2,000,000. */
  readonly maxFileBytes?: number
  /** Stops the run gracefully; what is left is done by the next one. */
  readonly signal?: AbortSignal
  /** What the engine logs. Default: as Engine.start. */
  readonly logLevel?: Tuning['logLevel']
  /** How it is logged, and where to. Default: as Engine.start. */
  readonly logFormat?: Tuning['logFormat']
  readonly logTransitions?: Tuning['logTransitions']
  readonly logTo?: (lines: string) => void
  /** A module that each pool thread imports before the jobs, as for Engine.start. */
  readonly setup?: string | URL
  /** Called after each file. */
  readonly onProgress?: (progress: IndexProgress) => void
}

export interface IndexSummary {
  /** Files that were found: the sum of the next four, and of what an interrupted run left. */
  readonly files: number
  readonly indexed: number
  readonly unchanged: number
  readonly skipped: number
  readonly failed: number
  /** Files that left the index because they are gone or ignored now. */
  readonly removed: number
  /** Definitions in the whole index. */
  readonly symbols: number
  /** Size of all sources in the index. */
  readonly bytes: number
  readonly elapsedMs: number
  /** Whether `signal` ended the run before it was done. */
  readonly interrupted: boolean
  readonly skippedBy: Readonly<Partial<Record<SkipReason, number>>>
  /** At most 1,000. */
  readonly failures: readonly PathFailure[]
}

export const defaultMaxFileBytes = 2_000_000
const stopGraceMs = 5_000

/**
 * Brings the index of a directory up to date: one durable job for each file whose content must be looked at.
 *
 * What is unchanged is decided from the index alone (path, size, time, then hash), never from jobs. The index also
 * remembers that a run was begun: only then, or when there is something to do, is the engine started, so that a run
 * without changes costs little more than listing the files.
 *
 * @throws OPTION_INVALID, PATH_INVALID, DATABASE_LOCKED (another run is going on) and what Engine.start throws
 */
export async function indexDirectory(options: IndexOptions): Promise<IndexSummary> {
  checkIndexOptions(options)
  const startedAtMs = systemClock.monotonicMs()
  const directory = resolveDirectory(options.directory)
  const paths = statePaths(directory, options.stateFolder)
  prepareStateFolder(paths)
  const tally = new RunTally()
  const run = new IndexRun(directory, paths, options, tally)
  try {
    await run.bringUpToDate()
  } finally {
    await run.stop()
  }
  run.countUntold()
  const totals = readTotals(paths.index)
  return {
    ...tally.counts,
    symbols: totals?.symbols ?? 0,
    bytes: totals?.bytes ?? 0,
    elapsedMs: Math.round(systemClock.monotonicMs() - startedAtMs),
    interrupted: !run.isDone && (options.signal?.aborted ?? false),
  }
}

/** One run, from the listing of files to the end of its last job. */
class IndexRun {
  readonly #directory: string
  readonly #paths: StatePaths
  readonly #options: IndexOptions
  readonly #tally: RunTally
  readonly #maxFileBytes: number
  #engine: Promise<Engine> | undefined
  /** Whether nothing is left for the next run. */
  #isDone = false
  /** Number of this run; 0 before it has begun. */
  #run = 0

  constructor(directory: string, paths: StatePaths, options: IndexOptions, tally: RunTally) {
    this.#directory = directory
    this.#paths = paths
    this.#options = options
    this.#tally = tally
    this.#maxFileBytes = options.maxFileBytes ?? defaultMaxFileBytes
  }

  async bringUpToDate(): Promise<void> {
    assertIndexOf(this.#paths, this.#directory)
    const isLeftOpen = hasOpenRun(this.#paths.index)
    const needsEngine = isLeftOpen || !existsSync(this.#paths.index)
    // Listing goes on while threads start: they take longer. A failure of either is reported once both have settled.
    const starting = needsEngine ? this.#startWith(await loadEngine()) : undefined
    // It may fail before anybody waits for it.
    starting?.catch(() => {})
    // What the start has to think over before its first thread is done by then.
    if (needsEngine) await new Promise<void>(afterThisTurn)
    const listing = discoverFiles(this.#directory, this.#paths.folder, this.#options.signal)
    const [listed, started] = await Promise.allSettled([listing, starting])
    if (started.status === 'rejected') throw started.reason
    if (this.#isAborted) return
    if (listed.status === 'rejected') throw listed.reason
    // Jobs of an earlier run first: the plan is made from what they leave in the index.
    if (isLeftOpen) await this.#finishLeftovers()
    if (this.#isAborted) return

    const { files, hasEndedRun } = readSnapshot(this.#paths.index)
    const plan = planRun(listed.value.files, files, this.#maxFileBytes)
    const kept = keepUnseen(plan, listed.value)
    this.#tally.planned(kept, listed.value)
    const isIdle = kept.toRead.length + kept.removed.length + kept.dropped.length === 0
    if (isIdle && hasEndedRun && this.#engine === undefined) {
      this.#isDone = true
      // No engine reads them this time: what is wrong is not to show only on the day when a file has changed.
      checkSettings(await readSources(this.#options))
      return
    }
    await this.#carryOut(kept)
  }

  async stop(): Promise<void> {
    const engine = await this.#engine?.catch(() => undefined)
    await engine?.stop()
  }

  /** To be called after the stop. */
  countUntold(): void {
    if (this.#isAborted && this.#run > 0)
      this.#tally.settledInIndex(readSnapshot(this.#paths.index).files, this.#run)
  }

  get isDone(): boolean {
    return this.#isDone
  }

  get #isAborted(): boolean {
    return this.#options.signal?.aborted ?? false
  }

  async #start(): Promise<Engine> {
    return this.#engine ?? this.#startWith(await loadEngine())
  }

  /** Its first thread is started within this turn of the event loop, unless a configuration file is to be read. */
  #startWith({ EngineClass, jobs, indexWriter }: Awaited<ReturnType<typeof loadEngine>>): Promise<Engine> {
    const { threads, logLevel, logFormat, logTransitions, logTo, setup, config, overrides } = this.#options
    this.#engine = EngineClass.start({
      jobs,
      // Whatever else is configured: these jobs are of this index. It is soon over, and tells by itself what went wrong; and
      // a port may be that of the engine which it runs beside.
      overrides: { ...overrides, database: this.#paths.tasks, metrics: false, alerts: false },
      ...(config === undefined ? {} : { config }),
      actors: { [indexWriterName]: { module: indexWriter, options: { path: this.#paths.index } } },
      stopGraceMs,
      ...(threads === undefined ? {} : { threads }),
      ...(logLevel === undefined ? {} : { logLevel }),
      ...(setup === undefined ? {} : { setup }),
      ...(logFormat === undefined ? {} : { logFormat }),
      ...(logTransitions === undefined ? {} : { logTransitions }),
      ...(logTo === undefined ? {} : { logTo }),
    })
    return this.#engine
  }

  async #finishLeftovers(): Promise<void> {
    const engine = await this.#start()
    const watch = new JobWatch(engine, this.#options.signal, {
      succeeded: (outcome) => this.#tally.leftoverSettled(outcome),
      // Not in the index, so the plan has it read again, and it is reported then.
      failed: () => {},
    })
    await watch.untilIdle()
  }

  async #carryOut(plan: Plan): Promise<void> {
    const engine = await this.#start()
    const place = relative(this.#directory, this.#paths.folder)
    const begun = await tell(engine, { kind: 'begin-run', root: this.#directory, place })
    this.#run = typeof begun === 'object' && begun !== null && 'run' in begun ? Number(begun.run) : 0
    const lost = [...plan.removed, ...plan.dropped]
    if (lost.length > 0) await tell(engine, { kind: 'drop-files', paths: lost })

    const repository = basename(this.#directory)
    const pathOfSubject = new Map(plan.toRead.map(({ path }) => [subjectKeyOf(repository, path), path]))
    const onProgress = () => this.#options.onProgress?.(this.#tally.progress)
    const watch = new JobWatch(engine, this.#options.signal, {
      succeeded: (outcome) => {
        this.#tally.settled(outcome)
        onProgress()
      },
      failed: (subjectKey, reason) => {
        const path = pathOfSubject.get(subjectKey)
        if (path !== undefined) this.#tally.failed(path, reason)
        onProgress()
      },
    })
    onProgress()
    await watch.during(engine.enqueueMany(this.#jobs(plan.toRead, repository)))
    await watch.untilIdle()
    if (this.#isAborted) return
    const { files, indexed, unchanged, skipped, failed, removed } = this.#tally.counts
    const summary = { files, indexed, unchanged, skipped, failed, removed, ended_at_ms: systemClock.wallMs() }
    // The threads that have parsed end while the writer sorts the names, which may take minutes; it ends after that.
    const ended = tell(engine, { kind: 'end-run', summary: JSON.stringify(summary) })
    const [ending] = await Promise.allSettled([ended, engine.stop({ graceMs: maxStopGraceMs })])
    // An answer that crosses with the end of the engine is lost, but what it says is in the index.
    if (ending.status === 'rejected' && hasOpenRun(this.#paths.index)) throw ending.reason
    this.#isDone = true
  }

  /** An iterable, not an array: it is taken in chunks, so memory stays flat and the first job starts at once. */
  *#jobs(files: readonly FileToRead[], repository: string) {
    for (const { path, hash } of files) {
      if (this.#isAborted) return
      const payload: IndexFilePayload = {
        root: this.#directory,
        path,
        run: this.#run,
        hash,
        maxFileBytes: this.#maxFileBytes,
      }
      const subjectKey = subjectKeyOf(repository, path)
      yield {
        type: 'INDEX_FILE',
        payload: { ...payload },
        options: { subjectKey, onConflict: 'keep' as const },
      }
    }
  }
}

/** Not before it is needed: a run without changes needs no engine. */
async function loadEngine() {
  const [{ Engine: EngineClass }, { default: jobs }, { default: indexWriter }] = await Promise.all([
    import('../engine/engine.ts'),
    import('./index-jobs.ts'),
    import('./index-writer.ts'),
  ])
  return { EngineClass, jobs, indexWriter }
}

/** What stands in a folder that could not be read is unknown, not gone: it stays in the index. */
function keepUnseen(plan: Plan, { failures }: Discovery): Plan {
  if (failures.length === 0) return plan
  const isUnseen = (path: string) =>
    failures.some((failure) =>
      failure.path.endsWith('/') ? path.startsWith(failure.path) : path === failure.path,
    )
  return { ...plan, removed: plan.removed.filter((path) => !isUnseen(path)) }
}

function tell(engine: Engine, message: SingleMessage): Promise<unknown> {
  return engine.actor(indexWriterName).ask(message)
}
