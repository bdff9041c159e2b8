/**
 * The way in: packs the jobs of one turn into one message, and keeps count of what is not yet acknowledged.
 *
 * Jobs enqueued in one turn of the event loop travel together, in order. Over the limits of what may be pending an
 * enqueue is refused at once, so that memory stays flat however fast the producer is; `ready` resolves when there is
 * room again, with a margin, so that the producer does not run against the limit with each job.
 */
import { engineError } from '../errors.ts'
import type { EnqueueReply, EnqueueRequest } from '../supervisor/messages.ts'
import { beginEnqueueSpan } from '../telemetry/enqueue-span.ts'
import { AddedJobs } from './added-jobs.ts'
import { type CheckedJob, EnqueuePack, isPlain } from './enqueue-pack.ts'
import type { Job, JobSurroundings } from './job.ts'
import type { RefusedRequest } from './refusals.ts'

interface ReadyWaiter extends PromiseWithResolvers<void> {
  readonly jobs: readonly CheckedJob[]
}

/** Share of the limits under which `ready` resolves. */
const readyShare = 0.75

export class Enqueuer {
  readonly #send: (request: EnqueueRequest) => Promise<EnqueueReply>
  readonly #handles: JobSurroundings
  readonly #maxJobs: number
  readonly #maxCharacters: number
  readonly #onRefused: (error: unknown, about: RefusedRequest) => void
  #pack: EnqueuePack | undefined
  #pendingJobs = 0
  #pendingCharacters = 0
  #readyWaiters: ReadyWaiter[] = []
  #closedBy: Error | undefined

  constructor(
    send: (request: EnqueueRequest) => Promise<EnqueueReply>,
    handles: JobSurroundings,
    bounds: { readonly maxPendingJobs: number; readonly maxPendingCharacters: number },
    onRefused: (error: unknown, about: RefusedRequest) => void,
  ) {
    this.#send = send
    this.#handles = handles
    this.#maxJobs = bounds.maxPendingJobs
    this.#maxCharacters = bounds.maxPendingCharacters
    this.#onRefused = onRefused
  }

  /** Adds one job to the message of this turn. */
  add(job: CheckedJob): Promise<Job> {
    const span = beginEnqueueSpan(job)
    return span === undefined ? this.#add(job, undefined) : span.around(this.#add(job, span.traceparent))
  }

  #add(job: CheckedJob, traceparent: string | undefined): Promise<Job> {
    const refusal = this.#refusal(1, job.payload.length)
    if (refusal !== undefined) {
      this.#onRefused(refusal, { jobType: job.jobType })
      return Promise.reject(refusal)
    }
    this.#pendingJobs++
    this.#pendingCharacters += job.payload.length
    const pack = this.#openPack(job.jobType)
    const added = pack.add(job, traceparent)
    if (pack.isFull) this.flush()
    return added
  }

  /** Adds jobs in one message, and so in one transaction: all of them or none. */
  async addTogether(jobs: readonly CheckedJob[]): Promise<Job[]> {
    if (jobs.length === 0) return []
    const span = beginEnqueueSpan(jobs)
    return span === undefined
      ? this.#addTogether(jobs, undefined)
      : span.around(this.#addTogether(jobs, span.traceparent))
  }

  async #addTogether(jobs: readonly CheckedJob[], traceparent: string | undefined): Promise<Job[]> {
    this.flush()
    const characters = charactersOf(jobs)
    const refusal = this.#refusal(jobs.length, characters)
    if (refusal !== undefined) throw refusal
    this.#pendingJobs += jobs.length
    this.#pendingCharacters += characters
    try {
      const first = jobs[0]?.jobType ?? ''
      const reply = await this.#send({
        jobs: jobs.length,
        jobTypes: jobs.every((job) => job.jobType === first) ? first : jobs.map((job) => job.jobType),
        payloads: JSON.stringify(jobs.map((job) => job.payload)),
        options: jobs.every(isPlain) ? undefined : jobs.map((job) => job.options),
        traceparents: traceparent,
      })
      const added = new AddedJobs(
        this.#handles,
        reply,
        jobs.map((job) => job.jobType),
      )
      return jobs.map(() => added.next())
    } finally {
      this.#release(jobs.length, characters)
    }
  }

  /** Sends what this turn has packed so far, so that what is asked next comes after it. */
  flush(): void {
    const pack = this.#pack
    if (pack === undefined) return
    this.#pack = undefined
    this.#send(pack.toRequest()).then(
      (reply) => {
        this.#release(pack.jobs, pack.characters)
        pack.added(this.#handles, reply)
      },
      (error: unknown) => {
        this.#release(pack.jobs, pack.characters)
        this.#onRefused(error, { requests: pack.jobs, jobType: pack.jobType })
        pack.refused(error)
      },
    )
  }

  /** Resolves when there is room for more, and for these. */
  ready(jobs: readonly CheckedJob[] = []): Promise<void> {
    if (this.#closedBy !== undefined) return Promise.reject(this.#closedBy)
    if (this.hasRoomFor(jobs)) return Promise.resolve()
    const waiter = { ...Promise.withResolvers<void>(), jobs }
    this.#readyWaiters.push(waiter)
    return waiter.promise
  }

  /** Whether `ready` would resolve at once. */
  hasRoomFor(jobs: readonly CheckedJob[]): boolean {
    const isBelow =
      this.#pendingJobs <= this.#maxJobs * readyShare &&
      this.#pendingCharacters <= this.#maxCharacters * readyShare
    return isBelow && this.#refusal(jobs.length, charactersOf(jobs)) === undefined
  }

  /** From now on every job is refused with `reason`. What is pending is answered as usual. */
  close(reason: Error): void {
    this.flush()
    this.#closedBy = reason
    for (const waiter of this.#readyWaiters) waiter.reject(reason)
    this.#readyWaiters = []
  }

  #openPack(jobType: string): EnqueuePack {
    if (this.#pack === undefined) {
      this.#pack = new EnqueuePack(jobType)
      queueMicrotask(() => this.flush())
    }
    return this.#pack
  }

  #refusal(jobs: number, characters: number): Error | undefined {
    if (this.#closedBy !== undefined) return this.#closedBy
    // Something that is larger than the limit by itself must get through some time: alone.
    if (this.#pendingJobs === 0) return undefined
    const isOver =
      this.#pendingJobs + jobs > this.#maxJobs || this.#pendingCharacters + characters > this.#maxCharacters
    if (!isOver) return undefined
    return engineError('OVERLOADED', {
      found: `${this.#pendingJobs.toLocaleString('en')} jobs (${this.#pendingCharacters.toLocaleString('en')} characters) are not yet acknowledged`,
      allowed: `at most ${this.#maxJobs.toLocaleString('en')} jobs and ${this.#maxCharacters.toLocaleString('en')} characters`,
      action: 'Await engine.ready() and try again, or pass an iterable to enqueueMany.',
    })
  }

  #release(jobs: number, characters: number): void {
    this.#pendingJobs -= jobs
    this.#pendingCharacters -= characters
    const waiters = this.#readyWaiters
    this.#readyWaiters = []
    for (const waiter of waiters) {
      if (this.hasRoomFor(waiter.jobs)) waiter.resolve()
      else this.#readyWaiters.push(waiter)
    }
  }
}

function charactersOf(jobs: readonly CheckedJob[]): number {
  return jobs.reduce((sum, job) => sum + job.payload.length, 0)
}
