import type { EnqueueReply } from '../supervisor/messages.ts'
import { Job, type JobSurroundings } from './job.ts'

/** The handles of the jobs of one message, made from its reply one after the other, in the order of the message. */
export class AddedJobs {
  readonly #surroundings: JobSurroundings
  readonly #reply: EnqueueReply
  readonly #jobTypes: JobTypes
  /** Types of the jobs that stand for one that was not added, by its place: they may be of another type. */
  readonly #existing: ReadonlyMap<number, string> | undefined
  #next = 0

  constructor(surroundings: JobSurroundings, reply: EnqueueReply, jobTypes: JobTypes) {
    this.#surroundings = surroundings
    this.#reply = reply
    this.#jobTypes = jobTypes
    if (reply.kind !== 'run')
      this.#existing = new Map(reply.existing.map(({ index, jobType }) => [index, jobType]))
  }

  next(): Job {
    const index = this.#next++
    const reply = this.#reply
    const seq = reply.kind === 'run' ? reply.firstSeq + index : (reply.seqs[index] ?? 0)
    const existing = this.#existing?.get(index)
    const jobType = existing ?? (typeof this.#jobTypes === 'string' ? this.#jobTypes : this.#jobTypes[index])
    return new Job(this.#surroundings, seq, jobType ?? '', existing === undefined)
  }
}

/** The types of the jobs of one message: one for all where they share it. */
export type JobTypes = string | readonly string[]
