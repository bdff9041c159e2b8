/**
 * Runs the batches of one pool thread, in order.
 *
 * The thread works on one job at a time, except that it begins the next job while earlier ones wait, up to the
 * smallest `overlap` among them. The next job may belong to the next batch: an overlap does not end where a message
 * happened to end. A job is begun by compare-exchange in the batch's control block, so that one that the supervisor
 * has taken back is passed over.
 *
 * What an attempt returned is laid down in the outbox, where the supervisor finds it by itself; only when the thread
 * comes to rest with its batch unfinished is it told to look. What the outbox cannot hold (failures, children, long
 * results) is collected and sent early in three cases: the work since the last sending has taken a while; the next job
 * is of another type, which may take far longer; or the thread has nothing to do but wait. What is left when the last
 * job ends is the reply of the batch.
 */
import type { Clock } from '../clock.ts'
import { hasCode, type PlainError, toPlainError } from '../errors.ts'
import type { AnyJobDefinition } from '../job/definition.ts'
import type { FailureCause } from '../job/failure-cause.ts'
import { encodeResult } from '../job/json.ts'
import { validatePayload } from '../job/payload.ts'
import { verdictOf } from '../job/verdict.ts'
import { Attempt, type ThreadSurroundings, unknownJobType } from './attempt.ts'
import { ControlBlock } from './control-block.ts'
import type { AttemptEnd, BatchTask, JobDetails, Outcomes } from './messages.ts'
import type { OutboxWriter } from './outbox.ts'

/** Work since the last sending after which outcomes are sent; a sending costs about a fiftieth of it. */
const sendAfterMs = 0.5
/** Characters of results after which outcomes are sent, so that no message grows without bound. */
const sendAfterCharacters = 1_000_000

interface RunningBatch {
  readonly task: BatchTask
  readonly control: ControlBlock
  readonly settle: (rest: Outcomes) => void
  next: number
  running: number
  succeeded: number[]
  results: (string | undefined)[] | undefined
  others: AttemptEnd[]
}

interface RunningJob {
  readonly batch: RunningBatch
  readonly index: number
  readonly attempt: Attempt
  readonly definition: AnyJobDefinition
  /** Whether its payload has passed the validator: what is thrown then is the handler's. */
  isValid: boolean
}

export class BatchRunner {
  readonly #surroundings: ThreadSurroundings
  readonly #clock: Clock
  readonly #outbox: Pick<OutboxWriter, 'add'>
  readonly #send: (outcomes: Outcomes) => void
  readonly #announce: () => void
  readonly #whenWaiting: (run: () => void) => void
  readonly #batches: RunningBatch[] = []
  readonly #running = new Set<RunningJob>()
  #lastEndMs = 0
  #unsentMs = 0
  #unsentCharacters = 0
  #sendIsPlanned = false
  /** Whether anything was laid down that no message has made known since. */
  #isUnannounced = false
  #isPumping = false

  constructor(
    surroundings: ThreadSurroundings,
    ports: {
      readonly clock: Clock
      readonly outbox: Pick<OutboxWriter, 'add'>
      /** Sends outcomes while their batch goes on. */
      readonly send: (outcomes: Outcomes) => void
      /** Has the supervisor look into the outbox. */
      readonly announce: () => void
      /** Calls back once the thread has nothing to do but wait. */
      readonly whenWaiting: (run: () => void) => void
    },
  ) {
    this.#surroundings = surroundings
    this.#clock = ports.clock
    this.#outbox = ports.outbox
    this.#send = ports.send
    this.#announce = ports.announce
    this.#whenWaiting = ports.whenWaiting
  }

  /** Resolves when every job of the batch has ended or was taken back, with the outcomes not sent before. */
  run(task: BatchTask): Promise<Outcomes> {
    return new Promise((settle) => {
      this.#batches.push({
        task,
        control: new ControlBlock(task.control),
        settle,
        next: 0,
        running: 0,
        succeeded: [],
        results: undefined,
        others: [],
      })
      this.#pump()
    })
  }

  /** Fires the signal of one running job. */
  fireSignal(batch: number, index: number): void {
    for (const job of this.#running) {
      if (job.batch.task.batch === batch && job.index === index) job.attempt.fireSignal()
    }
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
    if (this.#running.size > 0) this.#planSending()
  }

  #nextBatch(): RunningBatch | undefined {
    return this.#batches.find((batch) => batch.next < batch.task.seqs.length)
  }

  #mayBegin(batch: RunningBatch): boolean {
    const running = this.#running.size
    if (running === 0) return true
    if (running >= this.#overlapOf(jobTypeAt(batch.task, batch.next))) return false
    for (const job of this.#running) if (running >= (job.definition.overlap ?? 1)) return false
    return true
  }

  #overlapOf(jobType: string): number {
    return this.#surroundings.handlers.get(jobType)?.overlap ?? 1
  }

  #begin(batch: RunningBatch, index: number): void {
    const { task, control } = batch
    const jobType = jobTypeAt(task, index)
    if (index > 0 && jobType !== jobTypeAt(task, index - 1)) this.#sendNow()
    batch.next++
    const nowMs = this.#clock.monotonicMs()
    if (!control.start(index, nowMs)) return
    if (this.#running.size === 0) this.#lastEndMs = nowMs
    const details: JobDetails | undefined = task.details?.[index]
    const seq = task.seqs[index] ?? 0
    const attempt = new Attempt(this.#surroundings, { seq, jobType, details }, control, index)
    const definition = this.#surroundings.handlers.get(jobType)
    if (definition === undefined) {
      fail(batch, index, 'UNKNOWN_TYPE', unknownJobType(jobType, this.#surroundings.handlers.keys()), true)
      control.end(index, 0)
      return
    }
    const job: RunningJob = { batch, index, attempt, definition, isValid: false }
    batch.running++
    this.#running.add(job)
    let returned: unknown
    try {
      const payload = validatePayload(jobType, definition.payload, JSON.parse(task.payloads[index] ?? 'null'))
      returned =
        payload instanceof Promise
          ? payload.then((value) => runHandler(job, value))
          : runHandler(job, payload)
      // A promise of another kind may throw when it is looked at, or answer twice.
      if (isThenable(returned)) returned = Promise.resolve(returned)
    } catch (thrown) {
      this.#threw(job, thrown)
      return
    }
    if (returned instanceof Promise) {
      returned.then(
        (value) => this.#returned(job, value),
        (thrown: unknown) => this.#threw(job, thrown),
      )
    } else {
      this.#returned(job, returned)
    }
  }

  #returned(job: RunningJob, value: unknown): void {
    const { batch, index, attempt } = job
    let result: string | undefined
    try {
      result = encodeResult(value)
    } catch (error) {
      attempt.close()
      fail(batch, index, 'INVALID_RESULT', error, true)
      this.#end(job)
      return
    }
    const children = attempt.close()
    if (children !== undefined) {
      batch.others.push({ index, kind: 'succeeded-with-children', result, children })
    } else if (this.#outbox.add(batch.task.batch, index, result)) {
      this.#isUnannounced = true
    } else {
      if (result !== undefined) {
        batch.results ??= new Array<string | undefined>(batch.succeeded.length).fill(undefined)
        this.#unsentCharacters += result.length
      }
      batch.results?.push(result)
      batch.succeeded.push(index)
    }
    this.#end(job)
  }

  #threw(job: RunningJob, thrown: unknown): void {
    const { batch, index, attempt } = job
    attempt.close()
    const reason = batch.control.abortReason(index)
    if (reason !== 'none') {
      batch.others.push({ index, kind: 'gave-way', reason, error: toPlainError(thrown) })
    } else if (hasCode(thrown, 'ACTOR_RESTARTED')) {
      batch.others.push({ index, kind: 'interrupted', error: toPlainError(thrown) })
    } else {
      const invalid = !job.isValid && hasCode(thrown, 'PAYLOAD_INVALID')
      fail(batch, index, invalid ? 'INVALID_PAYLOAD' : 'THREW', thrown, invalid)
    }
    this.#end(job)
  }

  #end(job: RunningJob): void {
    const { batch, index } = job
    const nowMs = this.#clock.monotonicMs()
    const costMs = nowMs - Math.max(this.#lastEndMs, batch.control.startedAtMs(index))
    this.#lastEndMs = nowMs
    this.#unsentMs += costMs
    batch.control.end(index, costMs)
    this.#running.delete(job)
    batch.running--
    if (this.#unsentMs >= sendAfterMs || this.#unsentCharacters >= sendAfterCharacters) this.#sendNow()
    this.#finishIfDone(batch)
    this.#pump()
  }

  #finishIfDone(batch: RunningBatch): void {
    if (batch.running > 0 || batch.next < batch.task.seqs.length) return
    const place = this.#batches.indexOf(batch)
    if (place === -1) return
    this.#batches.splice(place, 1)
    // The reply leaves only when this thread comes to rest, and the next batch may begin with a long synchronous job.
    if (this.#batches.length > 0 && hasOutcomes(batch)) this.#send(takeOutcomes(batch))
    this.#isUnannounced = false
    batch.settle(takeOutcomes(batch))
  }

  /** Sends what has ended, except what the reply of its batch is about to carry. */
  #sendNow(): void {
    this.#unsentMs = 0
    this.#unsentCharacters = 0
    for (const batch of this.#batches) {
      const isLast = batch.running === 0 && batch.next >= batch.task.seqs.length
      if (hasOutcomes(batch) && !isLast) this.#send(takeOutcomes(batch))
    }
  }

  #planSending(): void {
    if (this.#sendIsPlanned) return
    this.#sendIsPlanned = true
    this.#whenWaiting(() => {
      this.#sendIsPlanned = false
      this.#sendNow()
      if (this.#isUnannounced) this.#announce()
      this.#isUnannounced = false
    })
  }
}

function fail(
  batch: RunningBatch,
  index: number,
  cause: FailureCause,
  thrown: unknown,
  fatal: boolean,
): void {
  const error: PlainError = toPlainError(thrown)
  const verdict = fatal ? ({ kind: 'fatal' } as const) : verdictOf(thrown)
  batch.others.push({ index, kind: 'failed', cause, error, verdict })
}

function runHandler(job: RunningJob, payload: unknown): unknown {
  job.isValid = true
  return job.definition.run(payload, job.attempt)
}

function hasOutcomes(batch: RunningBatch): boolean {
  return batch.succeeded.length + batch.others.length > 0
}

function takeOutcomes(batch: RunningBatch): Outcomes {
  const { succeeded, results, others } = batch
  batch.succeeded = []
  batch.results = undefined
  batch.others = []
  return { batch: batch.task.batch, succeeded, results, others }
}

function jobTypeAt(task: BatchTask, index: number): string {
  return typeof task.jobTypes === 'string' ? task.jobTypes : (task.jobTypes[index] ?? '')
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
