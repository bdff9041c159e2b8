/**
 * Gives ready claims to threads, and takes back what would wait for no reason.
 *
 * Each thread has two batches: one that runs and one that waits in its port, so that it never waits for the supervisor.
 * It gets more only while all that it has begun waits, and may overlap. A batch holds up to 40 ms of work: hundreds
 * of tiny jobs, or one long one.
 *
 * A job that is a program leaves its thread to others as soon as it has begun, so its batch is not counted then.
 *
 * What was given too soon is taken back through the control block: what waits behind a handler that has run for long
 * (it is stuck), and what waits anywhere while a thread has nothing to do. A suspect gets a thread to itself; a job
 * that is suspect for the second time gets the whole engine to itself, so that a further death is its own.
 */
import type { Clock, Timer } from '../clock.ts'
import { limits } from '../config.ts'
import type { AbortReason } from '../execution/control-block.ts'
import { DispatchedBatch } from './batch.ts'
import { type Claim, type Claims, exclusiveSuspicion } from './claims.ts'
import { HungThreads } from './hung-threads.ts'
import type { Pool } from './pool.ts'
import type { PoolThread } from './pool-thread.ts'

/** Waiting work of less than this is done sooner than it is moved. */
const worthSharingMs = 0.5
/** A thread is not woken for less, while another is awake. */
const worthWakingMs = 0.5

export interface DispatchListener {
  /** Comes every 40 ms while a thread is busy, after what the threads have laid down was collected. */
  onLook(): void
  /** The handlers did not give way within their grace: their thread is to be ended. */
  onGraceOver(thread: PoolThread, claims: readonly Claim[]): void
  /** What a handler has left behind keeps the thread for itself: it is to be ended. */
  onHung(thread: PoolThread): void
}

export class Dispatcher {
  readonly #claims: Claims
  readonly #pool: Pool
  readonly #clock: Clock
  readonly #listener: DispatchListener
  readonly #hung = new HungThreads()
  #lastBatch = 0
  #watch: Timer | undefined
  /** When the next look comes, by the monotonic clock, while a watch is kept. */
  #lookDueMs = 0
  #closed = false

  constructor(claims: Claims, pool: Pool, clock: Clock, listener: DispatchListener) {
    this.#claims = claims
    this.#pool = pool
    this.#clock = clock
    this.#listener = listener
  }

  /** Gives out what can be given out now. */
  dispatch(): void {
    if (this.#closed) return
    const threads = this.#pool.ready().filter((thread) => !this.#hung.isStill(thread))
    const takers = this.#dispatchSuspects(threads)
    if (takers.length > 0) this.#feedAwake(takers)
    for (let busy = 0; busy < limits.batchesAtOnce && takers.length > 0; busy++) this.#fill(takers, busy)
    if (takers.length > 0) this.#shareOut(threads)
    this.#keepWatch()
  }

  /** From now on nothing is given out; what has not begun is taken back, and held. */
  close(): void {
    this.#closed = true
    for (const thread of this.#pool.running()) for (const batch of thread.batches) batch.takeBackWaiting()
  }

  /** Ends the watch over running jobs. */
  stopWatch(): void {
    this.#watch?.cancel()
    this.#watch = undefined
  }

  abort(claim: Claim, reason: AbortReason): void {
    claim.batch?.abort(claim, reason, this.#clock.monotonicMs())
  }

  abortAll(reason: AbortReason): void {
    for (const claim of this.#claims.all()) this.abort(claim, reason)
  }

  /** Whether no thread comes to rest before the next look, even if nothing more is given out until then. */
  isSupplied(): boolean {
    const threads = this.#pool.ready()
    if (this.#closed || threads.length === 0) return false
    const untilLookMs = this.#lookDueMs - this.#clock.monotonicMs()
    return threads.every((thread) => {
      const batches = workOf(thread)
      let aheadMs = 0
      for (let place = 1; place < batches.length; place++) aheadMs += batches[place]?.estimatedMs ?? 0
      return aheadMs > 0 && aheadMs >= untilLookMs
    })
  }

  busyThreads(): number {
    return this.#pool.running().filter((thread) => workOf(thread).length > 0).length
  }

  /** Gives the threads that may be given something else now. */
  #dispatchSuspects(threads: readonly PoolThread[]): readonly PoolThread[] {
    if (this.#runsExclusive()) return []
    for (
      let suspect = this.#claims.ready.peekSuspect();
      suspect !== undefined;
      suspect = this.#claims.ready.peekSuspect()
    ) {
      const isExclusive = suspect.suspicion >= exclusiveSuspicion
      if (isExclusive && this.#pool.running().some((thread) => thread.batches.length > 0)) return []
      const thread =
        threads.find((candidate) => candidate.batches.length === 0) ??
        threads.find((candidate) => workOf(candidate).length === 0)
      // A thread that always has something ahead of it never comes to be free: one is kept from having.
      if (thread === undefined) return without(threads, this.#soonestFree(threads))
      this.#claims.ready.takeSuspect()
      this.#send(thread, [suspect])
      if (isExclusive) return []
    }
    return threads
  }

  #soonestFree(threads: readonly PoolThread[]): PoolThread | undefined {
    const nowMs = this.#clock.monotonicMs()
    const rank = (thread: PoolThread) => {
      const batches = workOf(thread)
      return batches.length + (batches.some((batch) => batch.isStuck(nowMs)) ? limits.batchesAtOnce : 0)
    }
    return threads.toSorted((one, other) => rank(one) - rank(other))[0]
  }

  #runsExclusive(): boolean {
    if (!this.#claims.hasSuspects(exclusiveSuspicion)) return false
    return this.#pool
      .running()
      .some((thread) =>
        thread.batches.some((batch) => batch.claims.some((claim) => claim.suspicion >= exclusiveSuspicion)),
      )
  }

  /**
   * Gives tiny work to one thread that is awake, or wakes one: to wake a thread costs more than such a batch takes, and
   * all the others would only compete with this thread and the host's for the cores.
   */
  #feedAwake(threads: readonly PoolThread[]): void {
    const awake = threads.find(isAwakeWithLittle) ?? threads.find((thread) => workOf(thread).length === 0)
    while (awake !== undefined && workOf(awake).length < 2) {
      const next = this.#claims.ready.peek()
      if (next === undefined || next.jobType.estimateMs * limits.batchJobs > worthWakingMs) return
      if (!this.#mayTake(awake, next)) return
      this.#send(awake, this.#cutBatch())
    }
  }

  /** Gives one batch to each thread that has exactly `busy` of them. */
  #fill(threads: readonly PoolThread[], busy: number): void {
    for (const thread of threads) {
      if (workOf(thread).length !== busy) continue
      const next = this.#claims.ready.peek()
      if (next === undefined) return
      if (this.#mayTake(thread, next)) this.#send(thread, this.#cutBatch())
    }
  }

  /** Whether what is given to the thread now would be begun soon, and beside nothing that must be alone. */
  #mayTake(thread: PoolThread, next: Claim): boolean {
    // As many programs as may run have a batch each here at worst, and the replies of others may be under way.
    if (thread.batches.length >= limits.batchesOfThread) return false
    const batches = workOf(thread)
    const [running] = batches
    if (running === undefined) return true
    if (running.claims.some((claim) => claim.suspicion > 0)) return false
    if (batches.length === 1 && !running.isStuck(this.#clock.monotonicMs())) return true
    // Handlers that wait leave their thread free for as many as their overlap allows.
    if (overlapOf(next) === 1 || batches.some((batch) => batch.waiting().length > 0)) return false
    const started = batches.flatMap((batch) => batch.startedWork())
    return [next, ...started].every((claim) => started.length < overlapOf(claim))
  }

  #cutBatch(): Claim[] {
    const claims: Claim[] = []
    let estimatedMs = 0
    while (estimatedMs < limits.batchMs && claims.length < limits.batchJobs) {
      const next = this.#claims.ready.peek()
      if (next === undefined) break
      // Costs may be known better now than when the job was claimed.
      const estimateMs = next.jobType.estimateMs
      if (claims.length > 0 && estimatedMs + estimateMs > limits.batchMs) break
      claims.push(this.#claims.ready.take())
      estimatedMs += estimateMs
    }
    return claims
  }

  #send(thread: PoolThread, claims: readonly Claim[]): void {
    this.#pool.run(thread, new DispatchedBatch(++this.#lastBatch, thread, claims))
  }

  /** Gives threads that have nothing to do a part of what waits in the ports of others. */
  #shareOut(threads: readonly PoolThread[]): void {
    if (this.#claims.ready.peek() !== undefined) return
    for (const idle of threads) {
      if (workOf(idle).length > 0 || idle.batches.length >= limits.batchesOfThread) continue
      const richest = richestOf(threads)
      if (richest === undefined) return
      const nowMs = this.#clock.monotonicMs()
      const isStuck = richest.thread.batches.some((batch) => batch.isStuck(nowMs))
      if (!isStuck && richest.waitingMs < worthSharingMs) return
      // What is on its way to a thread that has not begun anything is left to it by half, or it would go to and fro.
      const hasBegun = richest.thread.batches.some((batch) => batch.started().length > 0)
      const half = hasBegun ? Math.ceil(richest.waiting / 2) : Math.floor(richest.waiting / 2)
      const taken = takeBackLast(richest.thread, isStuck ? richest.waiting : half)
      if (taken.length === 0) return
      this.#send(idle, taken)
    }
  }

  #keepWatch(): void {
    if (this.#watch !== undefined || !this.#pool.running().some(({ batches }) => batches.length > 0)) return
    this.#lookDueMs = this.#clock.monotonicMs() + limits.watchEveryMs
    this.#watch = this.#clock.startTimer(limits.watchEveryMs, () => {
      this.#watch = undefined
      for (const thread of this.#pool.running()) this.#pool.collect(thread)
      this.#watchRunning()
      this.dispatch()
      this.#listener.onLook()
      this.#keepWatch()
    })
  }

  #watchRunning(): void {
    const nowMs = this.#clock.monotonicMs()
    const threads = this.#pool.running()
    const hung = this.#hung.look(threads, nowMs)
    for (const thread of threads) {
      let isStuck = false
      const graceOver: Claim[] = []
      for (const batch of thread.batches) {
        for (const claim of batch.started()) {
          const runningMs = nowMs - batch.control.startedAtMs(claim.index)
          isStuck ||= runningMs > limits.stuckAfterMs && !claim.jobType.isProgram
          const timeoutMs = claim.jobType.timeoutMs(claim.policy)
          if (timeoutMs !== undefined && runningMs > timeoutMs) batch.abort(claim, 'timed-out', nowMs)
          if (isGraceOver(batch, claim, nowMs)) graceOver.push(claim)
        }
      }
      // With its thread its place goes too, so what waits behind it is taken back first. One that is ending has lost it.
      const isEnding = thread.state === 'ending' || graceOver.length > 0 || hung.includes(thread)
      isStuck ||= this.#hung.isStill(thread)
      if (isEnding || (isStuck && threads.length > 1)) this.#takeBackBehind(thread)
      if (graceOver.length > 0) this.#listener.onGraceOver(thread, graceOver)
      else if (hung.includes(thread)) this.#listener.onHung(thread)
    }
  }

  #takeBackBehind(thread: PoolThread): void {
    const taken = thread.batches.flatMap((batch) => batch.takeBackWaiting())
    if (taken.length > 0) this.#claims.giveBack(taken)
  }
}

/** A stop has a grace of its own. */
function isGraceOver(batch: DispatchedBatch, claim: Claim, nowMs: number): boolean {
  if (claim.abortedAtMs === 0 || claim.isCondemned) return false
  if (nowMs - claim.abortedAtMs < claim.jobType.graceMs) return false
  return batch.control.abortReason(claim.index) !== 'stopping'
}

/** A thread with one batch that will not take long: what comes behind it does not wait. */
function isAwakeWithLittle(thread: PoolThread): boolean {
  const [only, more] = workOf(thread)
  return only !== undefined && more === undefined && only.estimatedMs <= worthWakingMs
}

/** The batches of which something is left for the thread to do. */
function workOf({ batches }: PoolThread): readonly DispatchedBatch[] {
  return batches.some((batch) => batch.isOnlyPrograms)
    ? batches.filter((batch) => !batch.isOnlyPrograms)
    : batches
}

function overlapOf(claim: Claim): number {
  return claim.jobType.settings.overlap ?? 1
}

function without(threads: readonly PoolThread[], one: PoolThread | undefined): readonly PoolThread[] {
  return threads.filter((thread) => thread !== one)
}

interface Rich {
  readonly thread: PoolThread
  readonly waiting: number
  readonly waitingMs: number
}

/** The thread whose batches hold the most work that has not begun. */
function richestOf(threads: readonly PoolThread[]): Rich | undefined {
  let richest: Rich | undefined
  for (const thread of threads) {
    let waiting = 0
    let waitingMs = 0
    for (const batch of thread.batches) {
      for (const claim of batch.waiting()) {
        waiting++
        waitingMs += claim.jobType.estimateMs
      }
    }
    if (waiting > 0 && waitingMs > (richest?.waitingMs ?? -1)) richest = { thread, waiting, waitingMs }
  }
  return richest
}

/** Takes back up to `count` jobs, the last ones first: the first ones are about to begin. */
function takeBackLast(thread: PoolThread, count: number): Claim[] {
  const taken: Claim[] = []
  for (const batch of thread.batches.toReversed()) {
    const waiting = batch.waiting().length
    const wanted = Math.min(waiting, count - taken.length)
    if (wanted > 0) taken.unshift(...batch.takeBackWaiting(waiting - wanted))
  }
  return taken
}
