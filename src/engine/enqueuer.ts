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

/** A job that is checked and encoded. */
export interface CheckedJob {
  readonly jobType: string
  readonly payload: string
  readonly options: EnqueueOptions | undefined
}

export interface AddedJob {
  readonly seq: number
  readonly isNew: boolean
  /** The type of the job that was there before. */
  readonly existingType: string | undefined
}

interface Pack {
  readonly jobTypes: string[]
  readonly payloads: string[]
  readonly options: (EnqueueOptions | undefined)[]
  readonly waiters: { resolve(added: AddedJob): void; reject(error: unknown): void }[]
  hasOptions: boolean
  isMixed: boolean
}

interface ReadyWaiter extends PromiseWithResolvers<void> {
  readonly jobs: readonly CheckedJob[]
}

/** Share of the limits under which `ready` resolves. */
const readyShare = 0.75

export class Enqueuer {
  readonly #send: (request: EnqueueRequest) => Promise<EnqueueReply>
  readonly #maxJobs: number
  readonly #maxCharacters: number
  #pack: Pack | undefined
  #pendingJobs = 0
  #pendingCharacters = 0
  #readyWaiters: ReadyWaiter[] = []
  #closedBy: Error | undefined

  constructor(
    send: (request: EnqueueRequest) => Promise<EnqueueReply>,
    bounds: { readonly maxPendingJobs: number; readonly maxPendingCharacters: number },
  ) {
    this.#send = send
    this.#maxJobs = bounds.maxPendingJobs
    this.#maxCharacters = bounds.maxPendingCharacters
  }

  /** Adds one job to the message of this turn. */
  add(job: CheckedJob): Promise<AddedJob> {
    const refusal = this.#refusal(1, job.payload.length)
    if (refusal !== undefined) return Promise.reject(refusal)
    this.#pendingJobs++
    this.#pendingCharacters += job.payload.length
    return new Promise((resolve, reject) => {
      const pack = this.#openPack()
      pack.isMixed ||= pack.jobTypes.length > 0 && pack.jobTypes[0] !== job.jobType
      pack.jobTypes.push(job.jobType)
      pack.payloads.push(job.payload)
      pack.options.push(job.options)
      pack.hasOptions ||= job.options !== undefined
      pack.waiters.push({ resolve, reject })
      if (pack.payloads.length >= limits.jobsPerMessage) this.flush()
    })
  }

  /** Adds jobs in one message, and so in one transaction: all of them or none. */
  async addTogether(jobs: readonly CheckedJob[]): Promise<AddedJob[]> {
    if (jobs.length === 0) return []
    this.flush()
    const characters = charactersOf(jobs)
    const refusal = this.#refusal(jobs.length, characters)
    if (refusal !== undefined) throw refusal
    this.#pendingJobs += jobs.length
    this.#pendingCharacters += characters
    try {
      const first = jobs[0]?.jobType ?? ''
      const reply = await this.#send({
        jobTypes: jobs.every((job) => job.jobType === first) ? first : jobs.map((job) => job.jobType),
        payloads: jobs.map((job) => job.payload),
        options: jobs.some((job) => job.options !== undefined) ? jobs.map((job) => job.options) : undefined,
      })
      const added = new Array<AddedJob>(jobs.length)
      forEachAdded(reply, jobs.length, (index, one) => {
        added[index] = one
      })
      return added
    } finally {
      this.#release(jobs.length, characters)
    }
  }

  /** Sends what this turn has packed so far, so that what is asked next comes after it. */
  flush(): void {
    const pack = this.#pack
    if (pack === undefined) return
    this.#pack = undefined
    const { jobTypes, payloads, options, waiters } = pack
    const characters = payloads.reduce((sum, payload) => sum + payload.length, 0)
    this.#send({
      jobTypes: pack.isMixed ? jobTypes : (jobTypes[0] ?? ''),
      payloads,
      options: pack.hasOptions ? options : undefined,
    }).then(
      (reply) => {
        this.#release(waiters.length, characters)
        forEachAdded(reply, waiters.length, (index, added) => waiters[index]?.resolve(added))
      },
      (error: unknown) => {
        this.#release(waiters.length, characters)
        for (const waiter of waiters) waiter.reject(error)
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
      this.#pack = { jobTypes: [], payloads: [], options: [], waiters: [], hasOptions: false, isMixed: false }
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

function forEachAdded(
  reply: EnqueueReply,
  jobs: number,
  give: (index: number, added: AddedJob) => void,
): void {
  if (reply.kind === 'run') {
    for (let index = 0; index < jobs; index++) {
      give(index, { seq: reply.firstSeq + index, isNew: true, existingType: undefined })
    }
    return
  }
  const existing = new Map(reply.existing.map(({ index, jobType }) => [index, jobType]))
  for (const [index, seq] of reply.seqs.entries()) {
    give(index, { seq, isNew: !existing.has(index), existingType: existing.get(index) })
  }
}
