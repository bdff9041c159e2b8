import { systemClock } from '../clock.ts'
import { type ThrottleOptions, type Tuning, takeUnknownVariables } from '../config.ts'
import { toPlainError } from '../errors.ts'
import { jobFilesOf } from '../execution/job-files.ts'
import type { ActorReference } from '../job/context.ts'
import type { GivenCriteria } from '../job/criteria.ts'
import type { AnyJobDefinition, PayloadOf, ResultOf } from '../job/definition.ts'
import { type DatabaseId, decodeJobId, encodeJobId, toDatabaseId, toJobSeq } from '../job/id.ts'
import { envValuesOf } from '../job/program.ts'
import type { BackupReport } from '../store/messages.ts'
import type {
  CancelAnswer,
  CancelReport,
  DatabaseFacts,
  StopReport,
  SupervisorStats,
} from '../supervisor/messages.ts'
import type { Alert } from '../telemetry/alerts.ts'
import { EngineEvents } from '../telemetry/events.ts'
import { EngineLog } from '../telemetry/log.ts'
import { activeTraceparent, preloadApi } from '../telemetry/open-telemetry.ts'
import { ActorDirectory } from './actor-directory.ts'
import { type BackupOptions, Backups } from './backups.ts'
import { type BulkJob, type BulkReport, checkBulkJob, enqueueArray, enqueueStream, isArray } from './bulk.ts'
import { cancelEach } from './cancel-each.ts'
import { checkCancel } from './check-cancel.ts'
import { checkJob } from './check-job.ts'
import { checkGrace, engineStopped, reportOf } from './engine-stopped.ts'
import type { CheckedJob } from './enqueue-pack.ts'
import { Enqueuer } from './enqueuer.ts'
import { Job, type JobSurroundings } from './job.ts'
import { readJobLog } from './job-log.ts'
import { type JobDetails, type JobPlace, type JobRecord, toJobDetails } from './job-record.ts'
import { type JobPage, type ListFilter, toJobPage, toListRequest } from './list.ts'
import { EngineMaintenance } from './maintenance.ts'
import { notRetried } from './not-retried.ts'
import { type Hearers, Hearing } from './notices.ts'
import { type EngineMetrics, Observation } from './observation.ts'
import { checkOptions, type EngineOptions, type JobsOption } from './options.ts'
import { Outcomes } from './outcomes.ts'
import { OwnMeasure } from './own-measure.ts'
import { Readings } from './readings.ts'
import { Refusals } from './refusals.ts'
import { SupervisorLink } from './supervisor-link.ts'
import type { EnqueueParameters, ProgramsOption, ServedBy } from './typing.ts'

/**
 * A durable job engine on one database file. Its supervisor thread owns the file; handlers run in pool threads.
 *
 * @example
 * await using engine = await Engine.start({ jobs, database: 'tasks.db' })
 * const job = await engine.enqueue('RESIZE_IMAGE', { path: 'a.png' })
 * const { width } = await job.result()
 */
export class Engine<Definitions = Record<string, AnyJobDefinition>> implements AsyncDisposable {
  /** Everything the engine tells about itself; the table is at the top of src/telemetry/events.ts and in README.md. */
  readonly events: EngineEvents
  /** Prunes jobs and artifacts, and compacts the file; by itself too, unless the option `maintenance` says otherwise. */
  readonly maintenance: EngineMaintenance
  /** Numbers for Prometheus and OpenTelemetry. Off unless the option `metrics` says otherwise. */
  readonly metrics: EngineMetrics
  readonly #definitions: ReadonlyMap<string, AnyJobDefinition>
  readonly #tuning: Tuning
  readonly #link: SupervisorLink
  readonly #databaseId: DatabaseId
  readonly #place: JobPlace
  readonly #enqueuer: Enqueuer
  readonly #outcomes: Outcomes
  readonly #readings: Readings
  readonly #backups: Backups
  readonly #actors: ActorDirectory
  readonly #handles: JobSurroundings
  readonly #refusals: Refusals
  readonly #hearers: Hearers
  readonly #observation: Observation
  #stopping: Promise<StopReport> | undefined

  private constructor(parts: EngineParts) {
    const { link, facts } = parts
    this.events = parts.events
    this.maintenance = new EngineMaintenance(link)
    this.#definitions = parts.definitions
    this.#tuning = parts.tuning
    this.#link = link
    this.#databaseId = toDatabaseId(facts.databaseId)
    this.#place = { databaseId: this.#databaseId, path: facts.path }
    this.#actors = parts.actors
    this.#observation = parts.observation
    this.metrics = parts.observation.metrics
    this.#readings = new Readings(facts.path)
    this.#backups = new Backups(facts.path)
    this.#outcomes = new Outcomes({
      databaseId: this.#databaseId,
      watch: (seqs) => link.ask('watch', seqs),
      read: (seqs) => this.#readings.ask('get', seqs),
    })
    this.#hearers = {
      events: parts.events,
      log: parts.log,
      outcomes: this.#outcomes,
      measure: new OwnMeasure(parts.measure, (load) => link.tell({ kind: 'measured', load })),
      actors: parts.actors,
      idOf: this.#idOf,
      tell: (notice) => link.tell(notice),
    }
    this.#handles = { databaseId: this.#databaseId, outcomes: this.#outcomes }
    this.#refusals = new Refusals(parts.events, systemClock)
    this.#enqueuer = new Enqueuer(
      (request) => link.ask('enqueue', request),
      this.#handles,
      parts.tuning,
      (error, about) => this.#refusals.refused('enqueue', error, about),
    )
  }

  /**
   * Opens the database, recovers what a dead process left, and resolves once every thread is ready and every module
   * loaded.
   *
   * @throws OPTION_INVALID, CONFIG_INVALID, JOBS_MODULE_INVALID, START_FAILED, DATABASE_LOCKED naming the holder, DATABASE_NEWER,
   * DATABASE_FOREIGN, DATABASE_CORRUPT, DATABASE_READ_ONLY, DISK_FULL, MIGRATION_EDITED, MIGRATION_FAILED,
   * FILE_SYSTEM_UNSUPPORTED, PATH_INVALID, SUBPROCESS_INVALID, SUBPROCESS_FAILED
   */
  static async start<const Jobs extends JobsOption, const Programs extends ProgramsOption = undefined>(
    options: EngineOptions<Jobs, Programs>,
  ): Promise<Engine<ServedBy<Jobs, Programs>>> {
    const { tuning, definitions, start, measure, ...checked } = await checkOptions(options)
    const log = new EngineLog(checked.log)
    const observation = await Observation.open(checked.observation)
    const actors = new ActorDirectory()
    let engine: Engine<ServedBy<Jobs, Programs>> | undefined
    const hearing = new Hearing()
    const linking = SupervisorLink.start(
      start,
      tuning.maxPendingCharacters,
      (notice) => {
        if (notice.kind === 'actor-port') actors.connect(notice)
        else hearing.hear(notice)
      },
      (error) => {
        if (engine !== undefined) engine.#failed(error)
      },
    ).catch((error: unknown) => observation.abandon(error))
    if (start.transitions === 'all') log.open()
    const link = await linking
    try {
      const [facts] = await Promise.all([link.ask('describe', null), preloadApi()])
      const events = new EngineEvents((name, isWanted) => {
        if (name === 'job-settled' || name === 'job-progress')
          link.tell({ kind: 'subscribe', event: name, isWanted })
      })
      log.subscribe(events)
      log.unknownVariables(takeUnknownVariables)
      engine = new Engine({ tuning, definitions, link, facts, events, log, actors, measure, observation })
      await observation.begin({ ...facts, events, readEngine: () => link.ask('facts', null) })
      hearing.begin(engine.#hearers)
      return engine
    } catch (error) {
      actors.close(engineStopped())
      await link.abandon()
      return observation.abandon(error)
    }
  }

  /**
   * Adds a job. Resolves once it is durable. Jobs enqueued without waiting in between travel together.
   *
   * @throws JOB_TYPE_UNKNOWN, PAYLOAD_INVALID, PAYLOAD_NOT_JSON, PAYLOAD_TOO_LARGE, OPTION_INVALID; OVERLOADED: await
   * `ready()` and try again; ENGINE_STOPPED; DISK_FULL
   */
  enqueue<Type extends keyof Definitions & string>(
    jobType: Type,
    ...[payload, options]: EnqueueParameters<PayloadOf<Definitions[Type]>>
  ): Promise<Job<ResultOf<Definitions[Type]>>> {
    // Not an async function: each promise between the caller and the commit is a tenth of what a job costs this thread.
    let checked: CheckedJob | Promise<CheckedJob>
    try {
      checked = checkJob(this.#definitions, jobType, payload, options)
    } catch (error) {
      this.#refusedAtCheck(jobType, payload, error)
      return Promise.reject(error)
    }
    if (checked instanceof Promise) checked.catch((error) => this.#refusedAtCheck(jobType, payload, error))
    const added =
      checked instanceof Promise
        ? checked.then((job) => this.#enqueuer.add(job))
        : this.#enqueuer.add(checked)
    // The boundary: the definition of the type says what its handler returns.
    return added as Promise<Job<ResultOf<Definitions[Type]>>>
  }

  /**
   * Adds many jobs. An array is atomic: at most 10,000 jobs or 10 MB of payload, all or none. Any other iterable, async
   * ones included, is taken in chunks, as fast as they are acknowledged; each chunk is atomic by itself.
   *
   * @throws BULK_TOO_LARGE, and what `enqueue` throws; of an iterable, the chunks before the failure stay
   */
  enqueueMany(jobs: readonly BulkJob<Definitions>[]): Promise<Job[]>
  enqueueMany(jobs: Iterable<BulkJob<Definitions>> | AsyncIterable<BulkJob<Definitions>>): Promise<BulkReport>
  async enqueueMany(
    jobs:
      | readonly BulkJob<Definitions>[]
      | Iterable<BulkJob<Definitions>>
      | AsyncIterable<BulkJob<Definitions>>,
  ): Promise<Job[] | BulkReport> {
    const check = (job: BulkJob<Definitions>): CheckedJob | Promise<CheckedJob> => {
      checkBulkJob(job)
      return checkJob(this.#definitions, job.type, job.payload, job.options)
    }
    return this.#refusals.watch<Job[] | BulkReport>('enqueueMany', {}, () =>
      isArray(jobs) ? enqueueArray(this.#enqueuer, jobs, check) : enqueueStream(this.#enqueuer, jobs, check),
    )
  }

  /** Resolves when `enqueue` will not be refused as OVERLOADED. */
  ready(): Promise<void> {
    return this.#enqueuer.ready()
  }

  /**
   * The job as it is stored, with its failed attempts and what it has left behind; undefined when there is none.
   *
   * @throws JOB_ID_INVALID
   */
  get(jobId: string): Promise<JobDetails | undefined> {
    return this.#refusals.watch('get', { jobId }, async () => {
      const [reading] = await this.#readings.ask('get', [this.#seqOf(jobId)])
      return reading === undefined ? undefined : toJobDetails(this.#place, reading)
    })
  }

  /**
   * What the job's handlers have logged, in all its attempts, also while one runs: lines of JSON with `time`, `level`,
   * `attempt`, `message` and `fields`; then what its program wrote, with `stream` (stdout before stderr) and `message`.
   * The newest lines, at least `jobLogBytes` of the former. Undefined when there are none.
   *
   * @throws JOB_ID_INVALID; PATH_INVALID when a file cannot be read, or is none that the engine has made
   */
  readLog(jobId: string): Promise<string | undefined> {
    return this.#refusals.watch('readLog', { jobId }, async () =>
      readJobLog(jobFilesOf(this.#place.path, this.#idOf(this.#seqOf(jobId)))),
    )
  }

  /**
   * Jobs, newest first. A page examines at most 10,000 rows: with a filter that few jobs pass it may come back short, or
   * empty, and still have a `cursor` to go on from.
   *
   * @throws OPTION_INVALID, CURSOR_INVALID, JOB_ID_INVALID
   */
  list(filter: ListFilter = {}): Promise<JobPage<JobRecord>> {
    return this.#refusals.watch('list', {}, async () =>
      toJobPage(this.#place, await this.#readings.ask('list', toListRequest(this.#databaseId, filter))),
    )
  }

  /**
   * Cancels jobs. One that waits ends now; the signal of one that runs is fired, and it ends as CANCELLED once its
   * handler gives way. The answer `cancelled` is durable: such a job never runs again.
   *
   * Given criteria, it cancels every job enqueued so far of which all are true, and resolves to how many those were once
   * it has reached them. None of them starts meanwhile; the next start goes on with it, should the engine stop or die.
   *
   * @throws JOB_ID_INVALID; OPTION_INVALID; OVERLOADED when 1,000 of them are under way
   */
  cancel(jobId: string): Promise<CancelAnswer>
  cancel(jobIds: readonly string[]): Promise<CancelAnswer[]>
  cancel(criteria: GivenCriteria): Promise<CancelReport>
  async cancel(
    jobs: string | readonly string[] | GivenCriteria,
  ): Promise<CancelAnswer | CancelAnswer[] | CancelReport> {
    const about = typeof jobs === 'string' ? { jobId: jobs } : {}
    return this.#refusals.watch('cancel', about, async () => {
      const wanted = checkCancel(this.#databaseId, jobs)
      this.#enqueuer.flush()
      if (wanted.kind === 'matching') return this.#link.ask('cancel-matching', wanted.criteria)
      const answers = await cancelEach(this.#link, wanted.seqs)
      return wanted.kind === 'one' ? (answers[0] ?? 'unknown') : answers
    })
  }

  /**
   * Adds a new job like a finished one: same type, payload and options, `retriedFrom` naming the old one. Of a subject it
   * is the next generation, and supersedes like any other.
   *
   * @throws JOB_UNKNOWN, JOB_NOT_FINISHED, JOB_TYPE_UNKNOWN, JOB_ID_INVALID
   */
  retry(jobId: string): Promise<Job> {
    return this.#refusals.watch('retry', { jobId }, async () => {
      this.#enqueuer.flush()
      const request = { seq: this.#seqOf(jobId), traceparent: activeTraceparent() }
      const reply = await this.#link.ask('retry', request)
      if (reply.kind === 'retried') return new Job(this.#handles, reply.seq, reply.jobType, true)
      throw notRetried(jobId, reply, this.#definitions.keys())
    })
  }

  /** Numbers about now. Takes the same time whatever the number of jobs. */
  stats(): Promise<SupervisorStats> {
    this.#enqueuer.flush()
    return this.#link.ask('stats', null)
  }

  /** Resolves when no job is queued, scheduled or running. Jobs whose type nobody here serves do not count. */
  async idle(): Promise<void> {
    this.#enqueuer.flush()
    await this.#link.ask('idle', null)
  }

  /**
   * Copies the job database to a new file while jobs run: all that was acknowledged before the call. An engine opens the
   * copy as after a crash: what was running is run again. Backups take turns.
   *
   * @throws BACKUP_TARGET_EXISTS, PATH_INVALID, DISK_FULL, BACKUP_FAILED, OPTION_INVALID, ENGINE_STOPPED; after each of
   * them nothing is left of the backup
   */
  backup(path: string, options: BackupOptions = {}): Promise<BackupReport> {
    return this.#refusals.watch('backup', {}, () => this.#backups.backUp(path, options))
  }

  /** What is over its threshold now; each was told by the event `alert` before. */
  get alerts(): readonly Alert[] {
    return this.#observation.activeAlerts
  }

  /** @throws ACTOR_UNKNOWN */
  actor(name: string): ActorReference {
    return this.#refusals.watchActor(() => this.#actors.get(name))
  }

  /**
   * Ends the engine. New jobs are refused from now on, what has not begun goes back to the queue, and running handlers
   * are asked to give way; those that still run after the grace are ended with their thread and put back. Always
   * resolves, a little after the grace at the latest. Further calls give the same report, at the same time: they cannot
   * shorten its grace.
   */
  stop(options: { readonly graceMs?: number } = {}): Promise<StopReport> {
    return this.#refusals.watch('stop', {}, async () => {
      const graceMs = checkGrace(options, this.#tuning.stopGraceMs)
      this.#stopping ??= this.#stop(graceMs)
      return this.#stopping
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(graceMs: number): Promise<StopReport> {
    const stopped = engineStopped()
    this.#enqueuer.close(stopped)
    // At once: while it reads, the WAL cannot be moved into the file.
    void this.#backups.close(stopped)
    this.#refusals.close()
    const report = await reportOf(this.#link.ask('stop', { graceMs }), graceMs)
    await this.#close(stopped)
    return report
  }

  async #close(reason: Error): Promise<void> {
    this.#actors.close(reason)
    const helpers = [this.#observation.close(), this.#readings.close(reason), this.#backups.close(reason)]
    await Promise.all(helpers)
    // Before those who wait for outcomes are told that none will come: some may have come, and not been looked at yet.
    await this.#link.close(reason, 1_000)
    this.#outcomes.close(reason)
  }

  #failed(error: Error): void {
    if (this.#stopping !== undefined) return
    this.#enqueuer.close(error)
    this.#outcomes.close(error)
    this.#actors.close(error)
    this.events.emit('engine-failed', { error: toPlainError(error) })
  }

  readonly #idOf = (seq: number): string => encodeJobId(this.#databaseId, toJobSeq(seq))

  #refusedAtCheck(jobType: string, payload: unknown, error: unknown): void {
    this.#hearers.log.telling({ secrets: envValuesOf(payload) }, () =>
      this.#refusals.refused('enqueue', error, { jobType }),
    )
  }

  #seqOf(jobId: string): number {
    return decodeJobId(this.#databaseId, jobId)
  }
}

interface EngineParts {
  readonly tuning: Tuning
  readonly definitions: ReadonlyMap<string, AnyJobDefinition>
  readonly link: SupervisorLink
  readonly facts: DatabaseFacts
  readonly events: EngineEvents
  readonly log: EngineLog
  readonly actors: ActorDirectory
  readonly measure: ThrottleOptions['measure']
  readonly observation: Observation
}
