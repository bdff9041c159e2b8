import { Mailbox } from '../actor/mailbox.ts'
import { afterThisTurn, type Clock } from '../clock.ts'
import { limits } from '../config.ts'
import { engineError } from '../errors.ts'
import type { Outcomes } from '../execution/messages.ts'
import { JobWriter } from '../store/writer.ts'
import type { Actors } from './actors.ts'
import { advance, canAdvance } from './backlog.ts'
import type { DispatchedBatch } from './batch.ts'
import { Changes } from './changes.ts'
import { Checkpoints } from './checkpoints.ts'
import { Claims } from './claims.ts'
import { Dispatcher } from './dispatcher.ts'
import { DueTimer } from './due-timer.ts'
import { type Command, GroupCommit } from './group-commit.ts'
import { IdleWaiters } from './idle-waiters.ts'
import { JobTypes } from './job-types.ts'
import { LastingCommands } from './lasting-commands.ts'
import { commitFailed, submitDeath, submitOutcomes, submitPutBack } from './lasting-endings.ts'
import { News } from './leavings.ts'
import { Maintenance } from './maintenance.ts'
import type { EngineEvent, StopReport, SupervisorStats } from './messages.ts'
import { Pool } from './pool.ts'
import { poolSettings } from './pool-settings.ts'
import type { PoolThread } from './pool-thread.ts'
import { recover } from './recover.ts'
import { releaseParked } from './release-parked.ts'
import { Subscriptions } from './subscriptions.ts'
import type { SupervisorSurroundings } from './surroundings.ts'
import { ThreadEnds } from './thread-ends.ts'
import { ThrottleWatch } from './throttle-watch.ts'
import { Transitions } from './transitions.ts'

/** Commands that are taken out of the mailbox at a time: enough for each lane to get its share of them. */
const commandsPerTake = 8
/** How long a cycle goes on taking commands. */
const cycleMs = 10

type Lane = 'outcomes' | 'requests'

export class Supervisor {
  readonly #surroundings: SupervisorSurroundings
  readonly #clock: Clock
  readonly #claims: Claims
  readonly #mailbox = new Mailbox<Lane, Command>({
    outcomes: { capacity: Number.MAX_SAFE_INTEGER, minimumShare: 0.5 },
    requests: { capacity: limits.pendingRequests, minimumShare: 0.25 },
  })
  readonly #lasting: LastingCommands
  readonly #changes: Changes
  readonly #commit: GroupCommit
  readonly #pool: Pool
  readonly #dispatcher: Dispatcher
  readonly #actors: Actors
  readonly #ends: ThreadEnds
  readonly #news: News
  readonly #checkpoints: Checkpoints
  readonly subscriptions: Subscriptions
  readonly throttle: ThrottleWatch
  /** Undefined: none is logged that is no event. */
  readonly transitions: Transitions | undefined
  readonly maintenance: Maintenance
  /** Taken out of the mailbox and not applied yet, the next one last. */
  #taken: Command[] = []
  #isWoken = false
  #isCycling = false
  #commandsOfCycle = 0
  readonly #dueTimer: DueTimer
  readonly #idle = new IdleWaiters()
  #drained: (() => void) | undefined
  #state: 'serving' | 'draining' | 'ending' | 'ended' = 'serving'

  constructor(surroundings: SupervisorSurroundings) {
    const { start, database, clock, metering } = surroundings
    this.#claims = new Claims({ threads: start.threads, keepsTimes: metering !== undefined })
    this.#surroundings = surroundings
    this.#clock = clock
    this.#dueTimer = new DueTimer(clock, () => this.wake())
    const jobTypes = new JobTypes(start.jobTypes)
    const writer = new JobWriter(database, (jobType) => jobTypes.isProgram(jobType))
    const remembered = { mark: () => this.#changes.mark() }
    this.#commit = new GroupCommit(writer, this.#claims, remembered, start.database, metering)
    this.subscriptions = new Subscriptions(surroundings.tell)
    this.transitions = start.transitions === undefined ? undefined : new Transitions(surroundings.tell)
    this.#lasting = new LastingCommands(clock, {
      offer: (command) => {
        this.#mailbox.offer('outcomes', command)
        this.#wakeIfShort()
      },
      onFailure: (error, retryInMs, claim) => this.#emit(commitFailed(error, retryInMs, claim)),
      onRetry: () => this.wake(),
    })
    this.#actors = surroundings.actors
    const emit = (event: EngineEvent) => this.#emit(event)
    const wake = () => this.wake()
    this.#checkpoints = new Checkpoints(database, clock, emit, wake)
    this.#pool = this.#makePool(surroundings)
    this.#ends = this.#makeEnds()
    this.#dispatcher = new Dispatcher(this.#claims, this.#pool, clock, {
      onLook: () => this.#waiting > 0 && this.wake(),
      onGraceOver: (thread, claims) => this.#ends.graceOver(thread, claims),
      onHung: (thread) => this.#ends.hung(thread),
    })
    this.#changes = new Changes({
      writer,
      claims: this.#claims,
      jobTypes,
      clock,
      threads: start.threads,
      programConcurrency: start.programConcurrency,
      random: Math.random,
      listener: {
        wants: (seq) => this.subscriptions.wants(seq),
        onSettled: (job) => this.subscriptions.settled(job),
        wantsProgress: () => this.subscriptions.wantsProgress,
        onEvent: (event) => this.#emit(event),
        abort: (claim, reason) => this.#dispatcher.abort(claim, reason),
      },
      metering,
      mayWriteMuch: () => !this.#checkpoints.isBusy,
      afterCommit: (effect) => this.#commit.afterCommit(effect),
      transitions: start.transitions === 'all' ? this.transitions : undefined,
      skips: this.transitions,
    })
    this.#news = new News(this.#changes, { submit: this.#lasting.submit.bind(this.#lasting), emit })
    this.throttle = new ThrottleWatch(surroundings, this.#changes, wake)
    this.maintenance = new Maintenance(surroundings, writer.pruning, {
      runAlone: (apply) => this.#commit.runOnly(apply),
      mayWriteMuch: () => !this.#checkpoints.isBusy && this.#waiting < 2 * commandsPerTake,
      wrote: () => this.#checkpoints.afterCommit(true),
      moveAll: () => this.#checkpoints.moveAll(),
      wake,
      emit,
    })
  }

  #makePool(surroundings: SupervisorSurroundings): Pool {
    return new Pool(
      poolSettings(surroundings, () => this.#actors.connectAll()),
      this.#clock,
      {
        onReady: (thread) => {
          this.#actors.tellFailures(thread)
          this.wake()
        },
        onOutcomes: (thread, outcomes) => this.#receive(thread, outcomes),
        onBatchEnd: (_thread, batch, outcomes) => this.#receiveLast(batch, outcomes),
        onLateThrow: (thread, late) => this.#ends.threwLater(thread, late),
        onNews: (attempts) => this.#news.receive(attempts),
        onLogFailure: (failure) => this.#news.logFailed(failure),
        onDied: (thread, death) => this.#ends.died(thread, death),
        // Without pool threads there is nothing left to do here.
        onGaveUp: (error) => surroundings.giveUp(error),
      },
    )
  }

  #makeEnds(): ThreadEnds {
    return new ThreadEnds(this.#clock, this.#claims, {
      end: (thread) => void this.#pool.end(thread),
      emit: (event) => this.#emit(event),
      judges: () => this.#state === 'serving' || this.#state === 'draining',
      judge: (batches, death) => {
        submitDeath(this.#lasting, this.#changes, batches, death)
        this.wake()
      },
    })
  }

  /** Recovers what the last process left, and starts the threads. Resolves when all of them are ready. */
  async start(): Promise<void> {
    recover(this.#changes, (apply) => this.#commit.runOnly(apply))
    // At the same time: a thread that is greeted before an actor is up gets the way to it in a notice.
    await Promise.all([this.#actors.start(), this.#pool.start()])
    this.#changes.admits = true
    this.#changes.dueAt = this.#changes.writer.releases.nextDue()
    if (this.#changes.parked > 0) releaseParked(this.#changes, this.#lasting)
    this.maintenance.start()
    this.wake()
  }

  // ---- requests

  /** False once it has been asked to stop, or has ended. */
  get isServing(): boolean {
    return this.#state === 'serving'
  }

  /** Has `apply` run in the next transactions; `refuse` hears when it cannot be committed. */
  submit(command: Command): void {
    if (this.#state !== 'serving') {
      command.refuse(
        engineError('ENGINE_STOPPED', { found: 'The engine is stopping', action: 'Start it again first.' }),
      )
    } else if (this.#mailbox.offer('requests', command)) {
      this.wake()
    } else {
      command.refuse(
        engineError('OVERLOADED', {
          found: `${limits.pendingRequests.toLocaleString('en')} requests wait for the supervisor`,
          action: 'Wait for engine.ready() and try again.',
        }),
      )
    }
  }

  get changes(): Changes {
    return this.#changes
  }

  /** Threads of the pool that are ready, or will be. */
  threads(): readonly PoolThread[] {
    return this.#pool.living()
  }

  /** Calls `effect` once the transaction that is open now is committed. */
  afterCommit(effect: () => void): void {
    this.#commit.afterCommit(effect)
  }

  whenIdle(answer: () => void): void {
    this.#idle.add(answer)
    this.#idle.answer(this.#changes)
  }

  stats(): SupervisorStats {
    const { counters } = this.#changes.writer
    return {
      jobs: { ...counters.totals() },
      queues: Object.fromEntries(counters.byQueue()),
      threads: { ready: this.#pool.ready().length, busy: this.#dispatcher.busyThreads() },
      claims: this.#claims.size,
      mailbox: this.#waiting,
      commits: this.#commit.commits,
      walBytes: this.#checkpoints.walBytes,
      throttled: this.throttle.throttled,
    }
  }

  // ---- the loop

  wake(): void {
    if (this.#isWoken || this.#state === 'ended') return
    this.#isWoken = true
    afterThisTurn(() => {
      this.#isWoken = false
      this.#cycle()
    })
  }

  /** False: nothing could be done, not even begun. */
  #cycle(): boolean {
    if (this.#isCycling || this.#state === 'ended') return false
    this.#isCycling = true
    const endMs = this.#clock.monotonicMs() + cycleMs
    this.#commandsOfCycle = 0
    let isClosing = false
    let isBlocked = false
    const next = (): Command | undefined => {
      if (isClosing) return undefined
      const commands = this.#commandsOfCycle
      if (commands < limits.commandsPerCycle && (commands === 0 || this.#clock.monotonicMs() < endMs)) {
        if (this.#taken.length === 0) this.#taken = this.#mailbox.take(commandsPerTake).reverse()
        const command = this.#taken.pop()
        if (command !== undefined) {
          this.#commandsOfCycle++
          return command
        }
      }
      isClosing = true
      return this.#ownWork
    }
    if (this.#waiting > 0 || canAdvance(this.#changes)) {
      const error = this.#commit.run(next)
      const isBulk = this.#changes.cancelRequests.length > 0 || this.maintenance.isAtWork
      if (error === undefined) this.#checkpoints.afterCommit(isBulk)
      else this.#lasting.failed(error)
      isBlocked = error !== undefined && this.#commandsOfCycle === 0
    }
    this.#isCycling = false
    this.subscriptions.flush()
    this.transitions?.flush(this.#clock.wallMs())
    this.#dispatcher.dispatch()
    this.#idle.answer(this.#changes)
    if (this.#state === 'serving') this.#dueTimer.plan(this.#changes.dueAt)
    this.throttle.keep()
    this.maintenance.afterCycle()
    if (this.#claims.active === 0) this.#drained?.()
    if (isBlocked) return false
    if (this.#waiting > 0 || (!this.#lasting.isWaiting && canAdvance(this.#changes))) this.wake()
    return true
  }

  get #waiting(): number {
    return this.#mailbox.size + this.#taken.length
  }

  /** Comes last in each cycle, so that it sees what the commands have changed. */
  readonly #ownWork: Command = {
    apply: () => advance(this.#changes, this.#commandsOfCycle > 0),
    // Without the wait it would be tried again at once, and for ever.
    refuse: (error) => this.#lasting.failed(error),
  }

  // ---- pool threads

  #receive(thread: PoolThread, outcomes: Outcomes): void {
    const batch = thread.batches.find((candidate) => (candidate.number | 0) === (outcomes.batch | 0))
    if (batch !== undefined) this.#submitOutcomes(batch, outcomes)
  }

  #receiveLast(batch: DispatchedBatch, outcomes: Outcomes): void {
    // The thread has room again. What is ready is durable already and need not wait for the next commit.
    this.#dispatcher.dispatch()
    if (outcomes.succeeded.length + outcomes.others.length > 0) this.#submitOutcomes(batch, outcomes)
    this.#wakeIfShort()
  }

  /**
   * To commit one outcome costs nearly as much as to commit many: they are gathered until the next look, or a request,
   * while no thread runs short of work.
   */
  #wakeIfShort(): void {
    if (!this.#dispatcher.isSupplied()) this.wake()
  }

  #submitOutcomes(batch: DispatchedBatch, outcomes: Outcomes): void {
    submitOutcomes(this.#lasting, this.#changes, batch, outcomes)
    if (batch.hasPrograms && this.#changes.programs.mayHoldMore) this.wake()
  }

  #emit(event: EngineEvent): void {
    this.#surroundings.tell({ kind: 'event', event, at: this.#clock.wallMs() })
  }

  // ---- stop

  /**
   * Ends in two steps. First nothing new begins, what has not begun is put back, and running jobs are asked to give way.
   * What still runs at the end of the grace is ended with its thread and put back. Then the actors stop.
   */
  async stop(graceMs: number): Promise<StopReport> {
    const startMs = this.#clock.monotonicMs()
    this.#state = 'draining'
    this.#changes.admits = false
    this.#dueTimer.cancel()
    this.throttle.stop()
    const maintained = this.maintenance.stop(1_000)
    this.#dispatcher.close()
    const waiting = [...this.#claims.all()].filter((claim) => claim.place !== 'dispatched')
    submitPutBack(this.#lasting, this.#changes, waiting, false)
    this.#dispatcher.abortAll('stopping')
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve
    })
    const deadline = this.#clock.startTimer(graceMs, () => this.#drained?.())
    this.wake()
    await drained
    deadline.cancel()
    this.#drained = undefined

    this.#state = 'ending'
    // Not those that have only their last reply to give.
    const stuck = this.#pool
      .running()
      .filter((thread) => thread.batches.some((one) => one.started().length > 0))
    await Promise.all(stuck.map((thread) => this.#pool.end(thread)))
    // What ended in the last moment, and whose reply is still under way; what the others have left behind.
    for (const thread of this.#pool.running()) this.#pool.drain(thread)
    const step = () => this.#waiting > 0 && this.#cycle()
    this.#lasting.finish(step)
    const left = [...this.#claims.all()]
    submitPutBack(this.#lasting, this.#changes, left, true)
    this.#lasting.finish(step)
    this.#dispatcher.stopWatch()
    this.#lasting.close()
    this.#state = 'ended'
    await this.#pool.close()
    // At the same time: nothing is written any more, and an actor may have much to put away.
    const actorsEnded = this.#actors.stop(Math.max(graceMs, 1_000))
    await Promise.all([actorsEnded, maintained, this.#checkpoints.stop(1_000)])
    return {
      graceful: left.length === 0,
      putBackWaiting: this.#changes.putBackWaiting,
      putBackRunning: this.#changes.putBackRunning,
      leftRunning: this.#claims.size + this.#changes.leftRunning,
      threadsEnded: stuck.length,
      elapsedMs: Math.round(this.#clock.monotonicMs() - startMs),
    }
  }

  /** Ends what is under way, and records nothing more: after a failed start, or where it cannot go on. */
  async abandon(): Promise<void> {
    this.#state = 'ended'
    this.throttle.stop()
    await this.#pool.close()
    await this.#actors.stop(1_000).catch(() => {})
    await this.#checkpoints.stop(1_000)
  }
}
