import { engineError } from '../errors.ts'
import type { ActorReference, JobContext } from '../job/context.ts'
import type { AnyJobDefinition } from '../job/definition.ts'
import { encodeJobId, toDatabaseId, toJobSeq } from '../job/id.ts'
import { encodePayload, maxJsonCharacters } from '../job/json.ts'
import { validatePayload } from '../job/payload.ts'
import { checkEnqueueOptions, copyOptions, defaultQueue, type EnqueueOptions } from '../job/spec.ts'
import type { AbortReason, ControlBlock } from './control-block.ts'
import type { ChildJob, JobDetails } from './messages.ts'

/** What all attempts of a thread share. */
export interface ThreadSurroundings {
  readonly databaseId: string
  readonly handlers: ReadonlyMap<string, AnyJobDefinition>
  actor(name: string): ActorReference
}

const maxChildren = 10_000

/** One run of a handler, and the context that it is given. */
export class Attempt implements JobContext {
  readonly jobType: string
  readonly #surroundings: ThreadSurroundings
  readonly #seq: number
  readonly #details: JobDetails | undefined
  readonly #control: ControlBlock
  readonly #index: number
  #abortController: AbortController | undefined
  #children: ChildJob[] | undefined
  #childCharacters = 0
  #ended = false

  constructor(
    surroundings: ThreadSurroundings,
    job: { readonly seq: number; readonly jobType: string; readonly details: JobDetails | undefined },
    control: ControlBlock,
    index: number,
  ) {
    this.jobType = job.jobType
    this.#surroundings = surroundings
    this.#seq = job.seq
    this.#details = job.details
    this.#control = control
    this.#index = index
  }

  get jobId(): string {
    return encodeJobId(toDatabaseId(this.#surroundings.databaseId), toJobSeq(this.#seq))
  }

  get queue(): string {
    return this.#details?.queue ?? defaultQueue
  }

  get subjectKey(): string | undefined {
    return this.#details?.subjectKey
  }

  get generation(): number | undefined {
    return this.#details?.generation
  }

  get attempt(): number {
    return this.#details?.attempt ?? 1
  }

  get cancelled(): boolean {
    return this.#control.isAborted(this.#index)
  }

  /** Made only when asked for: most handlers never look at it. */
  get signal(): AbortSignal {
    if (this.#abortController === undefined) {
      this.#abortController = new AbortController()
      if (this.cancelled) this.fireSignal()
    }
    return this.#abortController.signal
  }

  /** Wakes up what listens to the signal. Called when a notice of the supervisor arrives. */
  fireSignal(): void {
    const controller = this.#abortController
    if (controller !== undefined && !controller.signal.aborted) {
      controller.abort(abortError(this.jobId, this.#control.abortReason(this.#index)))
    }
  }

  actor(name: string): ActorReference {
    return this.#surroundings.actor(name)
  }

  async enqueue(jobType: string, payload: unknown = null, options?: EnqueueOptions): Promise<void> {
    const definition = this.#surroundings.handlers.get(jobType)
    if (definition === undefined) throw unknownJobType(jobType, this.#surroundings.handlers.keys())
    if (options !== undefined) checkEnqueueOptions(options)
    const copied = copyOptions(options)
    const text = encodePayload(payload)
    const valid = validatePayload(jobType, definition.payload, payload)
    // Only where it must: what a handler forgets to await is added all the same.
    if (valid instanceof Promise) await valid
    if (this.#ended) {
      throw engineError('JOB_NOT_FINISHED', {
        found: `${this.jobId} has ended, but its handler enqueued ${jobType} afterwards`,
        allowed: 'ctx.enqueue while the handler runs',
        action: 'Await every ctx.enqueue before the handler returns.',
      })
    }
    this.#children ??= []
    if (this.#children.length >= maxChildren) {
      throw engineError('BULK_TOO_LARGE', {
        found: `${this.jobId} enqueues more than ${maxChildren.toLocaleString('en')} jobs in one attempt`,
        action: 'Enqueue a job that enqueues the rest.',
      })
    }
    this.#childCharacters += text.length
    if (this.#childCharacters > maxJsonCharacters) {
      throw engineError('BULK_TOO_LARGE', {
        found: `${this.jobId} enqueues more than ${maxJsonCharacters.toLocaleString('en')} characters of payload in one attempt`,
        action: 'Enqueue a job that enqueues the rest.',
      })
    }
    this.#children.push({ jobType, payload: text, options: copied })
  }

  /** Ends the validity of the context; gives what the handler enqueued. */
  close(): readonly ChildJob[] | undefined {
    this.#ended = true
    return this.#children
  }
}

function abortError(jobId: string, reason: AbortReason): Error {
  switch (reason) {
    case 'superseded':
      return engineError('SUPERSEDED', {
        found: `${jobId} was superseded by a newer generation of its subject`,
        action: 'Give way.',
      })
    case 'timed-out':
      return new DOMException(`${jobId} is over its time limit`, 'TimeoutError')
    case 'stopping':
      return engineError('ENGINE_STOPPED', {
        found: `The engine stops while ${jobId} runs`,
        action: 'Give way; the job is put back and runs again at the next start.',
      })
    case 'cancelled':
    case 'none':
      return engineError('JOB_CANCELLED', { found: `${jobId} was cancelled`, action: 'Give way.' })
  }
}

/** @throws nothing; builds the error for a job type that has no handler */
export function unknownJobType(jobType: string, known: Iterable<string>): Error {
  const names = [...known].sort()
  return engineError('JOB_TYPE_UNKNOWN', {
    found: `No handler serves the job type ${JSON.stringify(jobType)}`,
    allowed: names.length === 0 ? 'none: no jobs module was given' : names.join(', '),
    action: 'Check the spelling, or pass the jobs module that defines it to Engine.start.',
  })
}
