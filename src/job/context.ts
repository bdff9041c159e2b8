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
  /** The job's own log, a file of JSON lines; `engine.readLog(jobId)` reads it. What is written to `console` goes there too. */
  readonly log: JobLog
  /**
   * Says how far the job has come. Cheap enough for an inner loop: about ten reports a second leave the thread, and the
   * last one is kept with the job when its attempt ends, however that ends. Nothing keeps it from going back.
   *
   * @param fraction from 0 to 1
   * @param note what it is at; of more than 200 characters the first are kept
   * @throws OPTION_INVALID; HANDLER_ENDED once the handler has ended
   */
  progress(fraction: number, note?: string): void
  /**
   * Keeps a file with the job: the text or bytes themselves, or a copy of the file at `path`. Written before the call
   * returns, whole or not at all; the same name again replaces the file, also in a later attempt. At most 1,000 of them
   * an attempt. They stay when the attempt fails.
   *
   * @param name 1 to 200 characters without a path separator
   * @returns the absolute path of the file
   * @throws ARTIFACT_INVALID; ARTIFACT_FAILED when it cannot be written; HANDLER_ENDED once the handler has ended
   */
  artifact(name: string, data: string | Uint8Array | { readonly path: string }): string
  /**
   * Sets the short account of what was done that `engine.get` shows as `resultSummary`, beside the result. JSON, up to
   * 4,096 characters; a longer one is kept as the artifact `result-summary.json`, and the summary names it.
   *
   * @throws RESULT_NOT_JSON, RESULT_TOO_LARGE; ARTIFACT_FAILED; HANDLER_ENDED once the handler has ended
   */
  summarize(value: JsonValue): void
}

/**
 * Writes to the log of one job: each line has the time, the level, the attempt, the message and the fields. A log that
 * cannot be written is reported as `job-log-failed`, and the job goes on. All of them throw HANDLER_ENDED once the
 * handler has ended.
 */
export interface JobLog {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** What belongs to a line of a job's log, by name. Errors keep their message and stack. */
export type LogFields = Readonly<Record<string, unknown>>

/** The way to an actor: a thread of its own that owns a resource and is reached only by messages. */
export interface ActorReference {
  /**
   * Sends one message and resolves to its reply. Messages of one sender arrive in the order in which they were sent.
   * Make them idempotent (carry the job's id and attempt): a killed thread's message may still arrive.
   *
   * @throws ACTOR_RESTARTED when the actor died meanwhile; a job that lets this error through is put back uncharged, twice:
   * an attempt that sees an actor die for the third time counts as failed
   * @throws ACTOR_FAILED when the actor refused the message or is beyond its restart budget; OVERLOADED
   */
  ask(message: unknown): Promise<unknown>
}
