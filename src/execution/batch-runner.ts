/**
 * Runs the batches of one pool thread, in order.
 *
 * The thread works on one job at a time, except that it begins the next job while earlier ones wait, up to the
 * smallest `overlap` among them. Jobs that are programs only wait, so they are begun at once, and stand in nobody's way.
 * The next job may belong to the next batch: an overlap does not end where a message
 * happened to end. A job is begun by compare-exchange in the batch's control block, so that one that the supervisor
 * has taken back is passed over.
 *
 * A job whose handler may wait is begun only where nothing that the last one has left behind keeps the thread.
 *
 * How an attempt ended is laid down in the outbox, where the supervisor finds it by itself; only when the thread comes
 * to rest with its batch unfinished is it told to look. What the outbox cannot hold (long results, many children) is
 * sent at once, unless the reply of the batch is about to carry it.
 *
 * Whatever a handler begins carries the job with it (timers, promises, streams), so that what throws where nobody can
 * catch it, or calls for the end of the thread, is put down to its own job, not to one that happens to run by then.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { hasCode, type PlainError, toPlainError } from '../errors.ts'
import { encodeResult, parseJson } from '../job/json.ts'
import { validatePayload } from '../job/payload.ts'
import { verdictOf } from '../job/verdict.ts'
import { Attempt, type ThreadSurroundings, unknownJobType } from './attempt.ts'
import { type AnyEnd, envValuesIn, failed, spanEndOf, withLeavings } from './attempt-ends.ts'
import { exitedLate, LateThrows } from './late-throws.ts'
import type { AttemptEnd, BatchTask, JobDetails, LateThrow, Outcomes } from './messages.ts'
import type { OutboxWriter } from './outbox.ts'
import {
  hasOutcomes,
  jobTypeAt,
  type RunningBatch,
  type RunningJob,
  seqAt,
  takeOutcomes,
  toRun,
} from './running-batch.ts'
import { isThenable, ServedType } from './served-type.ts'
import { Turns, type TurnWaits } from './turns.ts'

/**
 * A type whose handlers have returned at once this often runs without a context of its own, which would cost each of
 * them 0.4 microseconds, as much as all else that the thread does for such a job. Should one of them leave something
 * behind after all, and that throw, then its thread dies of it, nobody is charged, and from then on no type is trusted.
 */
const quietRunsOfTrust = 256

const currentJob = new AsyncLocalStorage<RunningJob | undefined>()

export class BatchRunner {
  readonly #surroundings: ThreadSurroundings
  readonly #outbox: Pick<OutboxWriter, 'addSuccess' | 'addEnd'>
  readonly #send: (outcomes: Outcomes) => void
  readonly #announce: () => void
  readonly #whenWaiting: (run: () => void) => void
  readonly #batches: RunningBatch[] = []
  readonly #running = new Set<RunningJob>()
  readonly #late = new LateThrows<RunningJob>()
  /** How many of these are programs. */
  #programs = 0
  #lastEndMs = 0
  #announcementIsPlanned = false
  /** Whether anything was laid down that no message has made known since. */
  #isUnannounced = false
  #isPumping = false
  readonly #turns: Turns
  readonly #types = new Map<string, ServedType>()
  #trusts: boolean
  /** Whether a handler without a context has run in this thread: what nobody owns may be of such a job. */
  #hasTrusted = false
  /** The job whose handler is being called without a context of its own, up to where it first waits. */
  #calling: RunningJob | undefined

  constructor(
    surroundings: ThreadSurroundings,
    ports: {
      readonly outbox: Pick<OutboxWriter, 'addSuccess' | 'addEnd'>
      /** Sends outcomes while their batch goes on. */
      readonly send: (outcomes: Outcomes) => void
      /** Has the supervisor look into the outbox. */
      readonly announce: () => void
      /** Calls back once the thread has nothing to do but wait. */
      readonly whenWaiting: (run: () => void) => void
    } & TurnWaits,
    trusts = true,
  ) {
    this.#trusts = trusts
    this.#surroundings = surroundings
    for (const [name, definition] of surroundings.handlers) this.#types.set(name, new ServedType(definition))
    this.#outbox = ports.outbox
    this.#send = ports.send
    this.#announce = ports.announce
    this.#whenWaiting = ports.whenWaiting
    this.#turns = new Turns(ports, () => this.#pump())
  }

  /** Resolves when every job of the batch has ended or was taken back, with the outcomes not sent before. */
  run(task: BatchTask): Promise<Outcomes> {
    return new Promise((settle) => {
      this.#batches.push(toRun(task, settle))
      this.#pump()
    })
  }

  /** Fires the signal of one running job. What its listeners throw is put down to it. */
  fireSignal(batch: number, index: number): void {
    for (const job of this.#running) {
      if (job.batch.task.batch === batch && job.index === index)
        currentJob.run(job, () => job.attempt.fireSignal())
    }
  }

  /**
   * Puts an exception that nobody caught down to the job that had begun what threw: if its handler still runs, it has failed,
   * and is asked to give way. Of a subject no other handler may begin beside it, so its outcome is held until it has ended.
   * False: nobody knows whose it is. To be called from the handler of the exception.
   *
   * @param tell is called before anything else is begun in its place
   */
  threwLater(thrown: unknown, tell: (late: LateThrow) => void): boolean {
    const job = currentJob.getStore()
    if (job === undefined) return false
    const throws = this.#late.count(job)
    if (throws === undefined) return true
    const late = lateThrow(job, !this.#running.has(job), toPlainError(thrown), throws)
    if (late.hasEnded) {
      tell(late)
    } else if (job.attempt.subjectKey === undefined) {
      tell(late)
      // What begins in its place must not be taken for a part of it.
      currentJob.run(undefined, () => this.#threw(job, thrown))
      job.batch.control.abort(job.index, 'failed')
      job.attempt.fireSignal()
    } else if (throws === 1) {
      job.attempt.close()
      const end: AttemptEnd = { ...this.#endOf(job, thrown), leavings: job.attempt.leavings() }
      this.#late.hold(job, end)
      tell({ ...late, end })
    }
    return true
  }

  /** Whether a thread that ends of what nobody owns may end of a job that is not there any more. */
  get isUnclear(): boolean {
    return this.#hasTrusted
  }

  trustNobody(): void {
    this.#trusts = false
  }

  /** The attempt on whose behalf the thread runs at the moment; it may have ended. */
  current(): Attempt | undefined {
    return (this.#calling ?? currentJob.getStore())?.attempt
  }

  /**
   * The thread is about to end because something calls for it: a job that runs is marked as the one that did. What is
   * given back is to be told: a job that has ended did. Undefined: nobody knows.
   */
  exits(call: string): LateThrow | 'running' | undefined {
    this.#surroundings.desk.flush()
    const job = this.#calling ?? currentJob.getStore()
    if (job === undefined) return undefined
    if (!this.#running.has(job)) return lateThrow(job, true, exitedLate(call), 1)
    job.batch.control.exit(job.index)
    return 'running'
  }

  #pump(): void {
    // A handler that ends synchronously comes back here through #end: the loop that is under way goes on instead.
    if (this.#isPumping) return
    this.#isPumping = true
    try {
      for (let batch = this.#nextBatch(); batch !== undefined; batch = this.#nextBatch()) {
        if (!this.#mayBegin(batch)) break
        this.#begin(batch, batch.next)
        this.#finishIfDone(batch)
      }
    } finally {
      this.#isPumping = false
    }
    if (this.#running.size > 0 && this.#isUnannounced) this.#planAnnouncement()
  }

  #nextBatch(): RunningBatch | undefined {
    for (const batch of this.#batches) if (batch.next < batch.task.jobs) return batch
    return undefined
  }

  #mayBegin(batch: RunningBatch): boolean {
    const next = this.#types.get(jobTypeAt(batch.task, batch.next))
    if (!this.#turns.isFresh && next?.mayWait) {
      this.#turns.waitForNext()
      return false
    }
    const isNextProgram = next?.isProgram ?? false
    const running = isNextProgram ? this.#programs : this.#running.size - this.#programs
    if (running === 0) return true
    if (running >= (next?.definition.overlap ?? 1)) return false
    if (isNextProgram) return true
    for (const { type } of this.#running)
      if (!type.isProgram && running >= (type.definition.overlap ?? 1)) return false
    return true
  }

  #begin(batch: RunningBatch, index: number): void {
    const { task, control } = batch
    const jobType = jobTypeAt(task, index)
    batch.next++
    const nowMs = this.#surroundings.clock.monotonicMs()
    if (!control.start(index, nowMs)) return
    if (this.#running.size === 0) this.#lastEndMs = nowMs
    const details: JobDetails | undefined = task.details?.[index]
    if (details?.notAfter !== undefined && this.#surroundings.clock.wallMs() > details.notAfter) {
      this.#layDown(batch, { kind: 'expired', index })
      control.end(index)
      return
    }
    const attempt = new Attempt(
      this.#surroundings,
      { seq: seqAt(task, index), jobType, details },
      control,
      index,
    )
    const type = this.#types.get(jobType)
    if (type === undefined) {
      const error = unknownJobType(jobType, this.#surroundings.handlers.keys())
      this.#layDown(batch, failed(index, 'UNKNOWN_TYPE', error, true))
      control.end(index)
      return
    }
    const { definition } = type
    const job: RunningJob = { batch, index, attempt, type, isValid: false }
    batch.running++
    this.#running.add(job)
    if (type.isProgram) this.#programs++
    attempt.beginSpan()
    let returned: unknown
    let pending: Promise<unknown> | undefined
    try {
      const payload = validatePayload(jobType, definition.payload, parseJson(batch.payloads[index] ?? 'null'))
      returned =
        payload instanceof Promise
          ? payload.then((value) => this.#runHandler(job, value))
          : this.#runHandler(job, payload)
      // A promise of another kind may throw when it is looked at, or answer twice. Who looks at a refusal may be about to.
      if (isThenable(returned) || attempt.isUndecided) pending = Promise.resolve(returned)
    } catch (thrown) {
      this.#threw(job, thrown)
      return
    }
    if (pending !== undefined) {
      type.waited()
      pending.then(
        (value) => this.#returned(job, value),
        (thrown: unknown) => this.#threw(job, thrown),
      )
    } else {
      type.returned()
      this.#returned(job, returned)
    }
  }

  #runHandler(job: RunningJob, payload: unknown): unknown {
    job.isValid = true
    const { type, attempt } = job
    const { definition } = type
    if (this.#trusts && type.quietRuns >= quietRunsOfTrust && attempt.span === undefined) {
      this.#hasTrusted = true
      this.#calling = job
      try {
        return definition.run(payload, attempt)
      } finally {
        this.#calling = undefined
      }
    }
    const { span } = attempt
    if (span !== undefined) return currentJob.run(job, () => span.run(() => definition.run(payload, attempt)))
    return currentJob.run(job, () => definition.run(payload, attempt))
  }

  #returned(job: RunningJob, value: unknown): void {
    if (!this.#running.has(job)) return
    const { index, attempt } = job
    const { additions, unseenRefusal: refusal } = attempt
    if (additions !== undefined) return void additions.then(() => this.#returned(job, value))
    if (refusal !== undefined) {
      this.#threw(job, refusal.error)
      return
    }
    let result: string | undefined
    try {
      result = encodeResult(value)
    } catch (error) {
      attempt.close()
      this.#end(job, failed(index, 'INVALID_RESULT', error, true))
      return
    }
    const children = attempt.close()
    if (children === undefined) this.#end(job, { kind: 'succeeded', index, result })
    else this.#end(job, { kind: 'succeeded-with-more', index, result, children })
  }

  #threw(job: RunningJob, thrown: unknown): void {
    if (!this.#running.has(job)) return
    job.attempt.close()
    this.#end(job, this.#endOf(job, thrown))
  }

  #endOf({ batch, index, isValid }: RunningJob, thrown: unknown): AttemptEnd {
    const reason = batch.control.abortReason(index)
    if (reason !== 'none') {
      const verdict = verdictOf(thrown)
      return { kind: 'gave-way', index, reason, error: toPlainError(thrown), verdict }
    }
    if (hasCode(thrown, 'ACTOR_RESTARTED')) return { kind: 'interrupted', index, error: toPlainError(thrown) }
    const invalid = !isValid && hasCode(thrown, 'PAYLOAD_INVALID')
    return failed(index, invalid ? 'INVALID_PAYLOAD' : 'THREW', thrown, invalid)
  }

  /** @param own how its handler ended; something may have thrown before, and that counts */
  #end(job: RunningJob, own: AnyEnd): void {
    const { batch, index } = job
    const end = this.#late.take(job) ?? own
    const nowMs = this.#surroundings.clock.monotonicMs()
    batch.control.runUntil(index, nowMs)
    if (job.type.isProgram) {
      this.#programs--
    } else {
      batch.control.spend(index, nowMs - Math.max(this.#lastEndMs, batch.control.startedAtMs(index)))
      this.#lastEndMs = nowMs
    }
    const { type, attempt } = job
    attempt.span?.end(spanEndOf(end), undefined, () => envValuesIn(type.definition, batch.payloads[index]))
    const leavings = end === own ? job.attempt.leavings() : undefined
    this.#layDown(batch, leavings === undefined ? end : withLeavings(end, leavings))
    batch.control.end(index)
    this.#running.delete(job)
    this.#turns.ended(job.type)
    batch.running--
    this.#finishIfDone(batch)
    this.#pump()
  }

  #layDown(batch: RunningBatch, end: AnyEnd): void {
    const { index } = end
    if (end.kind === 'succeeded') {
      if (this.#outbox.addSuccess(batch.task.batch, index, end.result)) {
        this.#isUnannounced = true
        return
      }
      if (end.result !== undefined) {
        batch.results ??= new Array<string | undefined>(batch.succeeded.length).fill(undefined)
      }
      batch.results?.push(end.result)
      batch.succeeded.push(index)
    } else {
      if (this.#outbox.addEnd(batch.task.batch, end)) {
        this.#isUnannounced = true
        return
      }
      batch.others.push(end)
    }
    const isLast = batch.running <= 1 && batch.next >= batch.task.jobs
    if (!isLast) this.#send(takeOutcomes(batch))
  }

  #finishIfDone(batch: RunningBatch): void {
    if (batch.running > 0 || batch.next < batch.task.jobs) return
    const place = this.#batches.indexOf(batch)
    if (place === -1) return
    this.#batches.splice(place, 1)
    // The reply leaves only when this thread comes to rest, and the next batch may begin with a long synchronous job.
    if (this.#batches.length > 0 && hasOutcomes(batch)) this.#send(takeOutcomes(batch))
    this.#isUnannounced = false
    batch.settle(takeOutcomes(batch))
  }

  #planAnnouncement(): void {
    if (this.#announcementIsPlanned) return
    this.#announcementIsPlanned = true
    this.#whenWaiting(() => {
      this.#announcementIsPlanned = false
      if (this.#isUnannounced) this.#announce()
      this.#isUnannounced = false
    })
  }
}

function lateThrow(job: RunningJob, hasEnded: boolean, error: PlainError, throws: number): LateThrow {
  const { batch, index, attempt } = job
  const { traceId, jobType } = attempt
  return { seq: seqAt(batch.task, index), jobType, traceId, hasEnded, error, throws, end: undefined }
}
