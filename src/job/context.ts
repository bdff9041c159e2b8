import type { JsonValue } from './json.ts'
import type { EnqueueOptions } from './spec.ts'

/** What a handler is given beside its payload. Valid until the handler settles. */
export interface JobContext {
  readonly jobId: string
  readonly jobType: string
  readonly queue: string
  readonly subjectKey: string | undefined
  /** Version of the subject this job is about; undefined without a subject. */
  readonly generation: number | undefined
  /**
   * Number of this attempt, from 1; durable before the handler begins, and never given twice for one job. Together
   * with `jobId` it tells one attempt from every other, so writes that carry it can be made idempotent.
   */
  readonly attempt: number
  /** Fires when the job is cancelled, superseded, over its time limit, or when the engine stops. */
  readonly signal: AbortSignal
  /** The same as `signal.aborted`, but cheap enough for an inner loop and visible to a synchronous one. */
  readonly cancelled: boolean
  /**
   * Adds a job that is committed together with this attempt's success; an attempt that fails enqueues nothing.
   * At most 10,000 jobs an attempt.
   *
   * @throws OPTION_INVALID, JOB_TYPE_UNKNOWN, PAYLOAD_INVALID, PAYLOAD_NOT_JSON, PAYLOAD_TOO_LARGE, BULK_TOO_LARGE
   */
  enqueue(jobType: string, payload?: JsonValue, options?: EnqueueOptions): Promise<void>
  /** @throws ACTOR_UNKNOWN when the engine was started without an actor of this name */
  actor(name: string): ActorReference
}

/** The way to an actor: a thread of its own that owns a resource and is reached only by messages. */
export interface ActorReference {
  /**
   * Sends one message and resolves to its reply. Messages of one sender arrive in the order in which they were sent.
   * Make them idempotent (carry the job's id and attempt): a killed thread's message may still arrive.
   *
   * @throws ACTOR_RESTARTED when the actor died meanwhile; a job that lets this error through is put back uncharged
   * @throws ACTOR_FAILED when the actor refused the message or is beyond its restart budget; OVERLOADED
   */
  ask(message: unknown): Promise<unknown>
}
