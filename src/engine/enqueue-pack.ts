import { limits } from '../config.ts'
import type { EnqueueOptions } from '../job/spec.ts'
import type { EnqueueReply, EnqueueRequest } from '../supervisor/messages.ts'
import { AddedJobs } from './added-jobs.ts'
import type { Job, JobSurroundings } from './job.ts'

/** A job that is checked and encoded. */
export interface CheckedJob {
  readonly jobType: string
  readonly payload: string
  readonly options: EnqueueOptions | undefined
}

/**
 * The jobs of one message, as columns, and those who wait for them.
 *
 * All who wait hang on one promise. Its reactions run in the order in which they were added, so that each takes the next
 * handle: a job costs one promise, and neither functions that settle it nor lists of these.
 */
export class EnqueuePack {
  readonly #answer = Promise.withResolvers<AddedJobs>()
  /** One for all while they are of the same type. */
  #jobTypes: string | string[]
  #payloads: string[] = []
  /** Undefined while no job has any. */
  #options: (EnqueueOptions | undefined)[] | undefined
  /** Likewise. */
  #traceparents: (string | undefined)[] | undefined
  #jobs = 0
  #characters = 0

  /** @param jobType of the first job */
  constructor(jobType: string) {
    this.#jobTypes = jobType
  }

  get jobs(): number {
    return this.#jobs
  }

  get characters(): number {
    return this.#characters
  }

  get isFull(): boolean {
    return this.#jobs >= limits.jobsPerMessage || this.#characters >= limits.charactersPerMessage
  }

  /** Undefined: there are several. */
  get jobType(): string | undefined {
    return typeof this.#jobTypes === 'string' ? this.#jobTypes : undefined
  }

  add(job: CheckedJob, traceparent: string | undefined): Promise<Job> {
    const jobs = this.#jobs++
    if (typeof this.#jobTypes === 'string' && this.#jobTypes !== job.jobType)
      this.#jobTypes = new Array<string>(jobs).fill(this.#jobTypes)
    if (typeof this.#jobTypes !== 'string') this.#jobTypes.push(job.jobType)
    this.#payloads.push(job.payload)
    if (!isPlain(job)) this.#options ??= new Array(jobs).fill(undefined)
    this.#options?.push(job.options)
    if (traceparent !== undefined) this.#traceparents ??= new Array(jobs).fill(undefined)
    this.#traceparents?.push(traceparent)
    this.#characters += job.payload.length
    return this.#answer.promise.then(takeNext)
  }

  /** What is to be sent. The payloads are let go of: what waits for its answer should be small. */
  toRequest(): EnqueueRequest {
    const request = {
      jobs: this.#jobs,
      jobTypes: this.#jobTypes,
      payloads: JSON.stringify(this.#payloads),
      options: this.#options,
      traceparents: this.#traceparents,
    }
    this.#payloads = []
    return request
  }

  added(surroundings: JobSurroundings, reply: EnqueueReply): void {
    this.#answer.resolve(new AddedJobs(surroundings, reply, this.#jobTypes))
  }

  refused(error: unknown): void {
    this.#answer.reject(error)
  }
}

function takeNext(added: AddedJobs): Job {
  return added.next()
}

/** Whether many like it can be written by one statement. */
export function isPlain({ options, payload }: CheckedJob): boolean {
  return options === undefined && payload.length <= limits.longPayloadCharacters
}
