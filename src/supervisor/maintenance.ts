/**
 * Begins the runs of maintenance, and serves the thread that does them. The thread lives for one run: an engine that has
 * nothing to keep in order has no thread for it.
 *
 *   waiting ──time has come, file too large, asked──▶ starting ──ready──▶ running ──told its end──▶ ending ──▶ waiting
 *                                                        └────────────────────┴──thread fails──────────▲
 *
 * A stop ends a run between two slices. What ended so, or by the death of the process, is not recorded as a run. Where its
 * time had come, the next start finds it overdue; where it was asked for earlier than that, what it left waits for the next.
 */
import { servePort } from '../actor/port.ts'
import { ActorThread } from '../actor/thread.ts'
import type { Clock, Timer } from '../clock.ts'
import { limits, type MaintenanceSettings } from '../config.ts'
import {
  engineError,
  fromPlainError,
  isErrorCode,
  type PlainError,
  toPlainError,
  unreachable,
} from '../errors.ts'
import { pageBytes } from '../store/open.ts'
import type { PruneWriter } from '../store/prune-writer.ts'
import {
  checksIntegrity,
  decodeLastRun,
  dueAt,
  dueForSizeAt,
  encodeLastRun,
  type LastRun,
  sizeLeft,
} from './maintenance-schedule.ts'
import { MaintenanceWork, type SliceSurroundings } from './maintenance-work.ts'
import type {
  DutyName,
  DutyReport,
  EngineEvent,
  MaintenanceNotice,
  MaintenanceProgress,
  MaintenanceProtocol,
  MaintenanceReason,
  MaintenanceReport,
  MaintenanceStart,
  MaintenanceStatus,
  MaintenanceTotals,
} from './messages.ts'
import type { SupervisorSurroundings } from './surroundings.ts'

/** An overdue run, and one for the size, leaves the start of the engine alone. */
const overdueDelayMs = 1_000
/** How often the size of the file is looked at, while something is written. */
const lookEveryMs = 5_000

export interface MaintenanceHooks extends Omit<SliceSurroundings, 'clock'> {
  emit(event: EngineEvent): void
  /** Moves what is in the WAL to the file, which shrinks only then. */
  moveAll(): Promise<void>
}

interface Asker {
  reply(report: MaintenanceReport): void
  refuse(error: unknown): void
}

/** The run that is under way. */
interface Run {
  readonly reason: MaintenanceReason
  readonly startedAt: number
  readonly startMs: number
  readonly checksIntegrity: boolean
  readonly abort: AbortController
  readonly askers: Asker[]
  thread: ActorThread | undefined
  threadEnded: Promise<void>
  progress: MaintenanceProgress | undefined
  /** What each duty has told last: of the one that was under way too, when the thread ended in its midst. */
  readonly reports: Map<DutyName, DutyReport>
  readonly failures: Map<DutyName, PlainError>
  failure: PlainError | undefined
  isEnding: boolean
}

export class Maintenance {
  readonly #start: Omit<MaintenanceStart, 'checksIntegrity'>
  readonly #settings: MaintenanceSettings
  readonly #clock: Clock
  readonly #writer: PruneWriter
  readonly #hooks: MaintenanceHooks
  readonly #work: MaintenanceWork
  #lastRun: LastRun | undefined
  #run: Run | undefined
  /** They came when the run under way had passed what they ask for. There are never two runs: both would ask one worker. */
  readonly #nextAskers: Asker[] = []
  #timer: Timer | undefined
  #nextRunAt: number | undefined
  #lookTimer: Timer | undefined
  #state: 'new' | 'serving' | 'stopped' = 'new'

  constructor(surroundings: SupervisorSurroundings, writer: PruneWriter, hooks: MaintenanceHooks) {
    const { start, database, databaseId, clock } = surroundings
    this.#start = { path: database.name, databaseId, settings: start.maintenance }
    this.#settings = start.maintenance
    this.#clock = clock
    this.#writer = writer
    this.#hooks = hooks
    this.#work = new MaintenanceWork(writer, { ...hooks, clock })
  }

  /** To be called once everything else is ready. */
  start(): void {
    this.#state = 'serving'
    this.#lastRun = decodeLastRun(this.#writer.lastRunGet())
    this.#plan()
  }

  get #isStopped(): boolean {
    return this.#state === 'stopped'
  }

  /** Whether much is being written. */
  get isAtWork(): boolean {
    return this.#run !== undefined
  }

  /** How many runs have failed since one did not, those of engines before this one too. */
  get failedRuns(): number {
    return this.#lastRun?.failedRuns ?? 0
  }

  /** To be called after each cycle, outside of a transaction. */
  afterCycle(): void {
    if (this.#state !== 'serving') return
    if (this.#run !== undefined) this.#work.afterCycle()
    else if (this.#settings.isScheduled) this.#planLook()
  }

  /** Begins a run, or joins the one that is under way; one that has done all but the end is followed by another. */
  runNow(asker: Asker): void {
    if (this.#isStopped) asker.refuse(stopping())
    else if (this.#run === undefined) void this.#begin('asked', [asker])
    else if (this.#run.isEnding) this.#nextAskers.push(asker)
    else this.#run.askers.push(asker)
  }

  status(): MaintenanceStatus {
    const run = this.#run
    const last = this.#lastRun
    return {
      running: run && { reason: run.reason, startedAt: new Date(run.startedAt), progress: run.progress },
      lastRun: last && { ...totalsOf(last), startedAt: new Date(last.startedAt), failure: last.failure },
      nextRunAt: this.#nextRunAt === undefined ? undefined : new Date(this.#nextRunAt),
    }
  }

  /** Ends a run between two slices. Resolves when its thread has ended. */
  async stop(graceMs: number): Promise<void> {
    this.#state = 'stopped'
    this.#timer?.cancel()
    this.#lookTimer?.cancel()
    this.#work.stop(stopping())
    for (const asker of this.#nextAskers.splice(0)) asker.refuse(stopping())
    const run = this.#run
    if (run === undefined) return
    for (const asker of run.askers.splice(0)) asker.refuse(stopping())
    run.abort.abort(stopping())
    await run.thread?.stop(graceMs)
    await run.threadEnded
  }

  // ---- the schedule

  #plan(): void {
    this.#timer?.cancel()
    if (this.#state !== 'serving' || !this.#settings.isScheduled) return
    const now = this.#clock.wallMs()
    const due = dueAt(this.#settings, this.#lastRun, this.#writer.createdAt, now, Math.random())
    const dueForSize = this.#dueForSize(now)
    const isForSize = dueForSize !== undefined && dueForSize < due && due > now
    const nextDue = isForSize ? dueForSize : due
    const isOverdue = nextDue <= now
    this.#nextRunAt = isOverdue ? now + overdueDelayMs : nextDue
    this.#timer = this.#clock.startTimer(this.#nextRunAt - now, () => {
      if (this.#run !== undefined) return
      if (!isForSize) void this.#begin(isOverdue ? 'overdue' : 'scheduled')
      else if (this.#dueForSize(this.#clock.wallMs()) === undefined) this.#plan()
      else void this.#begin('size')
    })
  }

  #dueForSize(now: number): number | undefined {
    return dueForSizeAt(this.#settings, this.#lastRun, this.#writer.pages, pageBytes, now)
  }

  /** After the last cycle too, which may be followed by none for long. */
  #planLook(): void {
    this.#lookTimer ??= this.#clock.startTimer(lookEveryMs, () => {
      this.#lookTimer = undefined
      const now = this.#clock.wallMs()
      const isDue = (this.#dueForSize(now) ?? Number.POSITIVE_INFINITY) <= now
      if (isDue && this.#run === undefined && !this.#isStopped) void this.#begin('size')
    })
  }

  // ---- a run

  async #begin(reason: MaintenanceReason, askers: readonly Asker[] = []): Promise<void> {
    const run: Run = {
      reason,
      startedAt: this.#clock.wallMs(),
      startMs: this.#clock.monotonicMs(),
      checksIntegrity: checksIntegrity(reason, this.#lastRun),
      abort: new AbortController(),
      askers: [...askers],
      thread: undefined,
      threadEnded: Promise.resolve(),
      progress: undefined,
      reports: new Map(),
      failures: new Map(),
      failure: undefined,
      isEnding: false,
    }
    this.#run = run
    this.#hooks.emit({ kind: 'maintenance-started', reason })
    const work = this.#runThread(run)
    run.threadEnded = work.catch(() => {})
    try {
      await work
    } catch (error) {
      this.#failed(run, undefined, toPlainError(error))
    }
    if (this.#isStopped) return
    run.isEnding = true
    await this.#hooks.moveAll()
    if (this.#isStopped) return
    this.#end(run)
  }

  /** Starts the thread, and resolves when it has done its work and is gone. */
  async #runThread(run: Run): Promise<void> {
    const data: MaintenanceStart = { ...this.#start, checksIntegrity: run.checksIntegrity }
    const spec = {
      name: 'maintenance',
      entry: 'maintenance',
      data,
      readyTimeoutMs: limits.readyTimeoutMs,
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    } as const
    const thread = await ActorThread.start(spec, run.abort.signal)
    run.thread = thread
    const finished = Promise.withResolvers<void>()
    servePort<MaintenanceProtocol>(
      thread.port,
      ({ kind, request, answer }) => {
        switch (kind) {
          case 'prune-jobs':
            this.#work.submit({
              slice: (from, sliceMs) => this.#work.slices.prune(request, from, sliceMs),
              done: answer.reply.bind(answer),
              refuse: answer.refuse.bind(answer),
            })
            return
          case 'compact':
            this.#work.submit({
              slice: (from, sliceMs) => this.#work.slices.compact(request.pages, from, sliceMs),
              done: answer.reply.bind(answer),
              refuse: answer.refuse.bind(answer),
            })
            return
          default:
            unreachable(kind)
        }
      },
      // The boundary where the thread's notices get their type.
      (message) => this.#heed(run, message as MaintenanceNotice, finished.resolve),
    )
    thread.exited.then((exit) => {
      if (this.#run === run) this.#work.stop(stopping())
      finished.reject(exit.kind === 'died' ? exit.error : stopping())
    })
    try {
      await finished.promise
    } finally {
      await thread.stop(1_000)
    }
  }

  #heed(run: Run, notice: MaintenanceNotice, finish: () => void): void {
    switch (notice.kind) {
      case 'progress':
        run.progress = notice.progress
        run.reports.set(notice.progress.duty, notice.progress)
        this.#hooks.emit({ kind: 'maintenance-progress', ...notice.progress })
        return
      case 'duty-failed':
        this.#failed(run, notice.duty, notice.error)
        return
      case 'finished':
        for (const report of notice.duties) run.reports.set(report.duty, report)
        finish()
        return
      default:
        unreachable(notice)
    }
  }

  #failed(run: Run, duty: DutyName | undefined, reason: PlainError): void {
    if (this.#isStopped) return
    const error = withCode(reason, duty)
    if (duty !== undefined) run.failures.set(duty, error)
    run.failure ??= error
    this.#hooks.emit({ kind: 'maintenance-failed', duty, error })
  }

  #end(run: Run): void {
    this.#run = undefined
    const duties = [...run.reports.values()].map((report) => {
      const failure = run.failures.get(report.duty)
      return failure === undefined ? report : { ...report, failure }
    })
    const totals: MaintenanceTotals = {
      deletedJobs: sum(duties, 'deletedJobs'),
      deletedEarly: sum(duties, 'deletedEarly'),
      deletedArtifacts: sum(duties, 'deletedArtifacts'),
      reclaimedBytes: sum(duties, 'reclaimedBytes'),
      elapsedMs: Math.round(this.#clock.monotonicMs() - run.startMs),
    }
    const { startedAt, failure, reason } = run
    const checkedAt = run.checksIntegrity ? startedAt : (this.#lastRun?.checkedAt ?? this.#writer.createdAt)
    const failedRuns = failure === undefined ? 0 : this.failedRuns + 1
    const left = sizeLeft(this.#settings, this.#lastRun, this.#writer.pages, pageBytes)
    this.#lastRun = { ...totals, startedAt, checkedAt, failure, failedRuns, ...left }
    this.#store(this.#lastRun)
    this.#plan()
    const outcome = failure === undefined ? 'completed' : 'failed'
    this.#hooks.emit({ kind: 'maintenance-completed', outcome, ...totals })
    const report: MaintenanceReport = { ...totals, reason, startedAt: new Date(startedAt), outcome, duties }
    for (const asker of run.askers) {
      if (failure === undefined) asker.reply(report)
      else asker.refuse(fromPlainError({ ...failure, details: { ...failure.details, report } }))
    }
    if (this.#nextAskers.length > 0) void this.#begin('asked', this.#nextAskers.splice(0))
  }

  #store(lastRun: LastRun): void {
    try {
      this.#hooks.runAlone(() => {
        this.#writer.lastRunSet(encodeLastRun(lastRun))
        this.#writer.emptyQueuesForget()
      })
    } catch {
      // On a full disk: a restart repeats the run, which does no harm.
    }
  }
}

function sum(
  duties: readonly DutyReport[],
  name: 'deletedJobs' | 'deletedEarly' | 'deletedArtifacts' | 'reclaimedBytes',
): number {
  return duties.reduce((total, duty) => total + duty[name], 0)
}

function totalsOf(run: LastRun): MaintenanceTotals {
  const { deletedJobs, deletedEarly, deletedArtifacts, reclaimedBytes, elapsedMs } = run
  return { deletedJobs, deletedEarly, deletedArtifacts, reclaimedBytes, elapsedMs }
}

/** Or it would lose the report on its way to who asked for the run: only errors of the registry have details there. */
function withCode(reason: PlainError, duty: DutyName | undefined): PlainError {
  const { code, message } = reason
  if (code !== undefined && isErrorCode(code)) return reason
  const error = engineError('MAINTENANCE_FAILED', {
    found: `${duty === undefined ? 'The thread of maintenance' : `The duty ${duty}`} failed: ${message}`,
    action: 'The next run does what was left: within an hour, or when it is asked for.',
    details: { reason: code },
    cause: fromPlainError(reason),
  })
  return toPlainError(error)
}

function stopping(): Error {
  return engineError('ENGINE_STOPPED', {
    found: 'The engine stops',
    action: 'The next run goes on with what is left: when it is due, or when it is asked for.',
  })
}
