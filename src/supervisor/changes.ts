/**
 * What every change of a job goes through, whoever asked for it: the open transaction, the claims, and what is to be
 * told once it is committed. The files beside this one (enqueue, settle, cancel, recover) are its users.
 */
import type { Clock } from '../clock.ts'
import { limits } from '../config.ts'
import type { AbortReason } from '../execution/control-block.ts'
import { type JobSeq, toJobSeq } from '../job/id.ts'
import { lowestPriority } from '../job/spec.ts'
import type { FinalState } from '../job/state.ts'
import { traceIdOf } from '../job/traceparent.ts'
import type { EndOfWaiting, JobHead, JobPolicy, NewJob, ReleasedRow, WaitingRow } from '../store/rows.ts'
import type { JobWriter } from '../store/writer.ts'
import { isSkip } from '../telemetry/transition-lines.ts'
import type { CancelRequest } from './cancel-request.ts'
import { type Claim, type Claims, exclusiveSuspicion } from './claims.ts'
import { Interruptions } from './interruptions.ts'
import type { JobType, JobTypes } from './job-types.ts'
import type { EngineEvent, JobFailure, JobOutcome, SettledJob } from './messages.ts'
import type { Metering } from './metering.ts'
import { ProgramLane } from './program-lane.ts'
import { StepSize } from './step-size.ts'
import type { Transitions } from './transitions.ts'
import { WaitingSuspects } from './waiting-suspects.ts'

/** What hears of changes, once they are durable. */
export interface ChangeListener {
  /** Whether anybody waits for the outcome of this job, or listens to all. */
  wants(seq: number): boolean
  onSettled(job: SettledJob): void
  /** Whether anybody listens to how far jobs have come. */
  wantsProgress(): boolean
  onEvent(event: EngineEvent): void
  /** Fires the signal of a running job. */
  abort(claim: Claim, reason: AbortReason): void
}

export interface ChangeSurroundings {
  readonly writer: JobWriter
  readonly claims: Claims
  readonly jobTypes: JobTypes
  readonly clock: Clock
  readonly threads: number
  /** Programs that may run at a time. */
  readonly programConcurrency: number
  readonly listener: ChangeListener
  /** Whether what can wait may write now, or is to wait until the WAL has been cleared. */
  mayWriteMuch(): boolean
  /** Undefined: metrics are off. */
  readonly metering: Metering | undefined
  /** A number in [0, 1), for jitter. */
  readonly random: () => number
  afterCommit(effect: () => void): void
  /** What hears of every state transition, and of those to a skipped state, where they are logged. */
  readonly transitions?: Transitions | undefined
  readonly skips?: Transitions | undefined
}

/** A job to be added, before anything about its place in the queue is known. */
export type NewJobFacts = Omit<NewJob, 'seq' | 'createdAt'>

export class Changes {
  readonly writer: JobWriter
  readonly claims: Claims
  readonly jobTypes: JobTypes
  readonly clock: Clock
  readonly random: () => number
  readonly transitions: Transitions | undefined
  readonly skips: Transitions | undefined
  readonly programs: ProgramLane
  readonly interruptions = new Interruptions()
  readonly #surroundings: ChangeSurroundings
  /** False while nothing new may begin: the engine is not ready yet, or stops. */
  admits = false
  /** Suspects of the backlog, that still have to run. */
  readonly suspects: WaitingSuspects
  /** False: none are there, and none are claimed. */
  suspectsMayWait = true
  /** Jobs that the stop has put back: those that had not begun, and those whose handler gave way, or was ended. */
  putBackWaiting = 0
  putBackRunning = 0
  /** Jobs that were running when the last process died, and cannot be recovered: nobody has their claims. */
  leftRunning = 0
  /** Jobs that wait for an engine that serves their type. */
  parked = 0
  /** Cancels of many jobs that are under way, the next one first. */
  cancelRequests: readonly CancelRequest[] = []
  /** Jobs that one step of them ends. */
  readonly cancelSteps = new StepSize({ least: 16, first: 64, most: 1_000 })
  /** Wall time at which the next job that waits for a time may run; undefined: there is none. */
  dueAt: number | undefined
  /** Jobs of a lower priority are not begun: the throttle holds them. */
  #leastPriority = lowestPriority
  /** How often a job had come to wait for its turn when nothing but held ones was left; undefined: not known to be so. */
  #heldAt: number | undefined

  constructor(surroundings: ChangeSurroundings) {
    this.#surroundings = surroundings
    this.writer = surroundings.writer
    this.claims = surroundings.claims
    this.jobTypes = surroundings.jobTypes
    this.clock = surroundings.clock
    this.random = surroundings.random
    this.suspects = new WaitingSuspects(this.writer)
    this.programs = new ProgramLane(this.writer, this.claims, surroundings.programConcurrency)
    this.transitions = surroundings.transitions
    this.skips = surroundings.skips
  }

  get metering(): Metering | undefined {
    return this.#surroundings.metering
  }

  get threads(): number {
    return this.#surroundings.threads
  }

  /** Whether the next slice of a cancel of many may come now. */
  get maySlice(): boolean {
    return this.admits && this.cancelRequests.length > 0 && this.#surroundings.mayWriteMuch()
  }

  /** Remembers what is known of the tables; the answer recalls it, for when a transaction is rolled back. */
  mark(): () => void {
    const { suspectsMayWait, parked, dueAt, cancelRequests } = this
    const heldAt = this.#heldAt
    const recorded = this.skips?.mark()
    const recallPrograms = this.programs.mark()
    const recallSuspects = this.suspects.mark()
    return () => {
      recallPrograms()
      recallSuspects()
      this.suspectsMayWait = suspectsMayWait
      this.parked = parked
      this.dueAt = dueAt
      this.cancelRequests = cancelRequests
      this.#heldAt = heldAt
      if (recorded !== undefined) this.skips?.rollbackTo(recorded)
    }
  }

  get leastPriority(): number {
    return this.#leastPriority
  }

  /** Begins no jobs below this priority from now on. Not inside a transaction. */
  holdBelow(priority: number): void {
    this.#leastPriority = priority
    this.#heldAt = undefined
    this.programs.lookAgain()
  }

  /** To be called when a look at the backlog came to a held job: whatever waits is held, until another comes to wait. */
  foundAllHeld(): void {
    this.#heldAt = this.writer.counters.everQueued
  }

  /** Whether all that waits for its turn is held, but for suspects. */
  get isAllHeld(): boolean {
    return this.#heldAt === this.writer.counters.everQueued
  }

  /** Whether a new job may be inserted already running: there is room, and nothing waits that would go before it. */
  mayRunNow(jobType: JobType, priority: number): boolean {
    return (
      this.admits &&
      this.suspects.exclusive === 0 &&
      !(this.suspectsMayWait && this.claims.hasSuspects(exclusiveSuspicion)) &&
      jobType.isServed &&
      priority >= this.#leastPriority &&
      (jobType.isProgram ? !this.programs.mayHoldMore && this.programs.room > 0 : this.#mayThreadsRunNow())
    )
  }

  #mayThreadsRunNow(): boolean {
    return (
      (this.writer.counters.total('QUEUED') <= this.suspects.all || this.isAllHeld) &&
      this.claims.roomMs(this.threads, limits.newJobsPerThread) > 0
    )
  }

  /** Adds a job that waits for nothing but its turn: running if it may, else as backlog. */
  insertReady(seq: JobSeq, job: NewJobFacts, createdAt: number): void {
    const row: NewJob = { seq, createdAt, ...job }
    const jobType = this.jobTypes.get(job.jobType)
    if (!this.mayRunNow(jobType, job.priority)) {
      this.writer.jobInsert(row, { state: 'WAITING' })
      this.transitions?.record({ ...row, attempt: 0 }, null, jobType.waitingState)
      return
    }
    this.writer.jobInsert(row, { state: 'RUNNING' })
    this.transitions?.record({ ...row, attempt: 1 }, null, 'RUNNING')
    const source = { ...job, seq, createdAt, attempt: 1, failures: 0, suspicion: 0 }
    this.claims.make(source, jobType, parsePolicy(job.policy))
  }

  /** Adds a job that waits for an older run of its subject. */
  insertWaiting(seq: JobSeq, job: NewJobFacts, createdAt: number): void {
    this.writer.jobInsert({ seq, createdAt, ...job }, { state: 'SCHEDULED', waitsFor: 'subject' })
    this.transitions?.record({ ...job, seq, attempt: 0 }, null, 'SCHEDULED')
  }

  afterCommit(effect: () => void): void {
    this.#surroundings.afterCommit(effect)
  }

  abortAfterCommit(claim: Claim, reason: AbortReason): void {
    this.afterCommit(() => this.#surroundings.listener.abort(claim, reason))
  }

  report(event: EngineEvent): void {
    this.afterCommit(() => this.#surroundings.listener.onEvent(event))
  }

  get wantsProgress(): boolean {
    return this.#surroundings.listener.wantsProgress()
  }

  /** Tells who waits for it how a claimed job ended. */
  reportSettled(claim: Claim, outcomeOf: () => Omit<JobOutcome, 'seq'>, attempt = claim.attempt): void {
    const { listener } = this.#surroundings
    if (!listener.wants(claim.seq)) return
    const outcome = outcomeOf()
    const job: SettledJob = {
      ...outcome,
      seq: claim.seq,
      jobType: claim.jobType.name,
      queue: claim.queue,
      subjectKey: claim.subjectKey,
      attempt,
      traceId: traceIdOf(claim.traceparent),
    }
    this.afterCommit(() => listener.onSettled(job))
  }

  /** A job that has ended runs out of time no more. */
  forgetTimes(seq: JobSeq, policy: JobPolicy | undefined): void {
    if (policy !== undefined) this.writer.expirations.remove(seq, policy)
  }

  /** Ends a job that is not claimed. */
  endWaiting(head: JobHead, state: EndOfWaiting, now: number, supersededBy: JobSeq | null): void {
    const mayBeParked = this.parked > 0 && head.state === 'SCHEDULED'
    if (mayBeParked && this.writer.jobGet(head.seq)?.waitsFor === 'handler') this.parked--
    this.writer.jobEndWaiting(head, state, now, supersededBy)
    this.forgetTimes(head.seq, parsePolicy(head.policy))
    if (head.state === 'QUEUED') this.suspects.left(head.suspicion)
    this.reportEndedWaiting(head, state, { supersededBy: supersededBy ?? undefined })
  }

  /** Tells who waits for it that a job was cancelled that waited. */
  reportCancelled(row: WaitingRow): void {
    const { listener } = this.#surroundings
    const { seq, jobType, queue, subjectKey, attempt, traceparent } = row
    this.transitions?.record(row, row.waitsFor === 'turn' ? 'QUEUED' : 'SCHEDULED', 'CANCELLED')
    if (!listener.wants(seq)) return
    const facts = { result: undefined, failure: undefined, supersededBy: undefined }
    const about = { jobType, queue, subjectKey, attempt, traceId: traceIdOf(traceparent) }
    const job: SettledJob = { seq, state: 'CANCELLED', ...facts, ...about }
    this.afterCommit(() => listener.onSettled(job))
  }

  /** Tells who waits for it how a job ended that was not claimed. */
  reportEndedWaiting(
    head: JobHead,
    state: FinalState,
    facts: Partial<Pick<JobOutcome, 'failure' | 'supersededBy'>>,
  ): void {
    const { listener } = this.#surroundings
    const log = isSkip(state) ? this.skips : this.transitions
    const isWanted = listener.wants(head.seq)
    if (!isWanted && log === undefined) return
    const row = this.writer.jobGet(head.seq)
    // One of an older generation has ended as it was added.
    if (row !== undefined) log?.record(row, head.state === state ? null : head.state, state)
    if (!isWanted) return
    const job: SettledJob = {
      seq: head.seq,
      state,
      result: undefined,
      failure: facts.failure,
      supersededBy: facts.supersededBy,
      jobType: row?.jobType ?? '',
      queue: head.queue,
      subjectKey: row?.subjectKey ?? null,
      attempt: row?.attempt ?? 0,
      traceId: traceIdOf(row?.traceparent),
    }
    this.afterCommit(() => listener.onSettled(job))
  }

  /** Makes the newer generation claimable that waited for this job to end. */
  releaseNext(supersededBy: JobSeq | null): void {
    if (supersededBy === null) return
    const next = this.writer.jobHead(supersededBy)
    if (next?.state !== 'SCHEDULED') return
    this.writer.releases.release(next)
    if (this.transitions === undefined) return
    const row = this.writer.jobGet(supersededBy)
    if (row !== undefined) this.recordReleased([row])
  }

  /** Records jobs that wait for their turn from now on, where that is logged. */
  recordReleased(rows: readonly ReleasedRow[]): void {
    if (this.transitions === undefined) return
    for (const row of rows) {
      if (!this.writer.lanes.isProgram(row.jobType)) this.transitions.record(row, 'SCHEDULED', 'QUEUED')
    }
  }

  recordAttempt(
    job: { readonly seq: JobSeq; readonly attempt: number },
    failure: JobFailure,
    startedAt: number | null,
    endedAt: number,
  ): void {
    this.writer.attemptInsert({
      seq: job.seq,
      attempt: job.attempt,
      startedAt,
      endedAt,
      cause: failure.cause,
      error: JSON.stringify(failure.error),
    })
  }
}

export function parsePolicy(text: string | null): JobPolicy | undefined {
  return text === null ? undefined : (JSON.parse(text) as JobPolicy)
}

export function seqOf(number: number): JobSeq {
  return toJobSeq(number)
}
