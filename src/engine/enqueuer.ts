/**
 * The way in: packs the jobs of one turn into one message, and keeps count of what is not yet acknowledged.
 *
 * Jobs enqueued in one turn of the event loop travel together, in order. Over the limits of what may be pending an
 * enqueue is refused at once, so that memory stays flat however fast the producer is; `ready` resolves when there is
 * room again, with a margin, so that the producer does not run against the limit with each job.
 */
import { limits } from '../config.ts'
import { engineError } from '../errors.ts'
import type { EnqueueOptions } from '../job/spec.ts'
import type { EnqueueReply, EnqueueRequest } from '../supervisor/messages.ts'
import { beginEnqueueSpan } from '../telemetry/enqueue-span.ts'
import { Job, type JobSurroundings } from './job.ts'
import type { RefusedRequest } from './refusals.ts'

/** A job that is checked and encoded. */
export interface CheckedJob {
  readonly jobType: string
  readonly payload: string
  readonly options: EnqueueOptions | undefined
}

/** The jobs of one message, as columns. */
interface Pack {
  readonly jobTypes: string[]
  readonly payloads: string[]
  /** Undefined while no job has any. */
  options: (EnqueueOptions | undefined)[] | undefined
  /** Likewise. */
  traceparents: (string | undefined)[] | undefined
  readonly resolves: ((job: Job) => void)[]
  readonly rejects: ((error: unknown) => void)[]
  characters: number
  isMixed: boolean
}

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
  #pack: Pack | undefined
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
    return new Promise((resolve, reject) => {
      const pack = this.#openPack()
      const { jobTypes, payloads } = pack
      pack.isMixed ||= jobTypes.length > 0 && jobTypes[0] !== job.jobType
      jobTypes.push(job.jobType)
      payloads.push(job.payload)
      if (!isPlain(job)) pack.options ??= new Array(payloads.length - 1).fill(undefined)
      pack.options?.push(job.options)
      if (traceparent !== undefined) pack.traceparents ??= new Array(payloads.length - 1).fill(undefined)
      pack.traceparents?.push(traceparent)
      pack.characters += job.payload.length
      pack.resolves.push(resolve)
      pack.rejects.push(reject)
      if (payloads.length >= limits.jobsPerMessage || pack.characters >= limits.charactersPerMessage)
        this.flush()
    })
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
      return this.#handlesOf(
        reply,
        jobs.map((job) => job.jobType),
      )
    } finally {
      this.#release(jobs.length, characters)
    }
  }

  /** Sends what this turn has packed so far, so that what is asked next comes after it. */
  flush(): void {
    const pack = this.#pack
    if (pack === undefined) return
    this.#pack = undefined
    const { jobTypes, payloads, characters, options, traceparents } = pack
    this.#send({
      jobs: payloads.length,
      jobTypes: pack.isMixed ? jobTypes : (jobTypes[0] ?? ''),
      payloads: JSON.stringify(payloads),
      options,
      traceparents,
    }).then(
      (reply) => {
        this.#release(payloads.length, characters)
        const jobs = this.#handlesOf(reply, jobTypes)
        for (const [index, job] of jobs.entries()) pack.resolves[index]?.(job)
      },
      (error: unknown) => {
        this.#release(payloads.length, characters)
        this.#onRefused(error, { requests: payloads.length, jobType: pack.isMixed ? undefined : jobTypes[0] })
        for (const reject of pack.rejects) reject(error)
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

  #openPack(): Pack {
    if (this.#pack === undefined) {
      this.#pack = {
        jobTypes: [],
        payloads: [],
        options: undefined,
        traceparents: undefined,
        resolves: [],
        rejects: [],
        characters: 0,
        isMixed: false,
      }
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

  /** A job that stands for one that was not added may be of another type. */
  #handlesOf(reply: EnqueueReply, jobTypes: readonly string[]): Job[] {
    const handles = this.#handles
    if (reply.kind === 'run')
      return jobTypes.map((jobType, index) => new Job(handles, reply.firstSeq + index, jobType, true))
    const existing = new Map(reply.existing.map(({ index, jobType }) => [index, jobType]))
    return reply.seqs.map((seq, index) => {
      const jobType = existing.get(index) ?? jobTypes[index] ?? ''
      return new Job(handles, seq, jobType, !existing.has(index))
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

/** Whether many like it can be written by one statement. */
function isPlain({ options, payload }: CheckedJob): boolean {
  return options === undefined && payload.length <= limits.longPayloadCharacters
}

function charactersOf(jobs: readonly CheckedJob[]): number {
  return jobs.reduce((sum, job) => sum + job.payload.length, 0)
}
