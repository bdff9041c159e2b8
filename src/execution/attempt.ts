import { dirname } from 'node:path'
import type { Clock } from '../clock.ts'
import { describe, engineError, type PlainError, toPlainError } from '../errors.ts'
import type { ActorReference } from '../job/context.ts'
import type { AnyJobDefinition } from '../job/definition.ts'
import { encodeJobId, toDatabaseId, toJobSeq } from '../job/id.ts'
import { encodePayload, maxJsonCharacters } from '../job/json.ts'
import { validatePayload } from '../job/payload.ts'
import { checkEnqueueOptions, copyOptions, defaultQueue, type EnqueueOptions } from '../job/spec.ts'
import { traceIdOf } from '../job/traceparent.ts'
import { AttemptSpan } from '../telemetry/attempt-span.ts'
import { activeTraceparent } from '../telemetry/open-telemetry.ts'
import type { ArtifactData } from './artifacts.ts'
import type { AbortReason, ControlBlock } from './control-block.ts'
import { hasEnded } from './has-ended.ts'
import { jobFilesOf } from './job-files.ts'
import { AttemptLog } from './job-log.ts'
import { AttemptLeavings } from './leavings.ts'
import type { ChildJob, JobDetails, Leavings, LogFailure } from './messages.ts'
import type { NewsDesk } from './news-desk.ts'
import { Refusals } from './refusals.ts'
import type { ProgramContext } from './run-program.ts'

/** What all attempts of a thread share. */
export interface ThreadSurroundings {
  readonly databaseId: string
  readonly handlers: ReadonlyMap<string, AnyJobDefinition>
  /** @throws ACTOR_UNKNOWN */
  actor(name: string): ActorReference
  /** The actor that runs programs. */
  programs(): ActorReference
  readonly clock: Clock
  /** Real path of the database: the files of jobs lie beside it. */
  readonly database: string
  readonly jobLogBytes: number
  readonly desk: NewsDesk
  onLogFailure(failure: LogFailure): void
}

const maxChildren = 10_000

/** One run of a handler, and the context that it is given. */
export class Attempt implements ProgramContext {
  readonly jobType: string
  readonly #surroundings: ThreadSurroundings
  readonly #seq: number
  readonly #details: JobDetails | undefined
  readonly #control: ControlBlock
  readonly #index: number
  #abortController: AbortController | undefined
  #children: ChildJob[] | undefined
  #childCharacters = 0
  #refusals: Refusals | undefined
  #log: AttemptLog | undefined
  #span: AttemptSpan | undefined
  #leavings: AttemptLeavings | undefined
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

  /** The trace that its job was enqueued in. */
  get traceId(): string | undefined {
    return traceIdOf(this.#details?.traceparent)
  }

  /** The span of this attempt; undefined: nobody traces it. */
  get span(): AttemptSpan | undefined {
    return this.#span
  }

  /** Begins the span, where the job was enqueued in one. */
  beginSpan(): void {
    const traceparent = this.#details?.traceparent
    if (traceparent === undefined) return
    const { jobId, jobType, queue, attempt } = this
    const tell = (thrown: unknown): void => this.#tellFailure(traceFailure(jobId, thrown))
    this.#span = AttemptSpan.begin({ jobId, jobType, queue, attempt, traceparent }, tell)
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

  waitForTurn(): void {
    this.#control.restart(this.#index, Number.POSITIVE_INFINITY)
  }

  takeTurn(): void {
    this.#control.restart(this.#index, this.#surroundings.clock.monotonicMs())
  }

  logFailed(reason: PlainError): void {
    const { jobId } = this
    const { log } = jobFilesOf(this.#surroundings.database, jobId)
    this.#tellFailure(logFailure(jobId, dirname(log), reason))
  }

  actor(name: string): ActorReference {
    return this.#surroundings.actor(name)
  }

  programs(): ActorReference {
    return this.#surroundings.programs()
  }

  enqueue(jobType: string, payload: unknown = null, options?: EnqueueOptions): Promise<void> {
    try {
      const adding = this.#enqueue(jobType, payload, options)
      if (adding === undefined) return Promise.resolve()
      this.#refusals ??= new Refusals()
      return this.#refusals.refuseLater(adding)
    } catch (error) {
      // Nothing can become of an attempt that has ended.
      if (this.#ended) return Promise.reject(error)
      this.#refusals ??= new Refusals()
      return this.#refusals.refuse(error)
    }
  }

  /** Resolves once all that it enqueued is known to be valid or not; undefined: it is known now. */
  get additions(): Promise<void> | undefined {
    return this.#refusals?.isPending ? this.#refusals.settled() : undefined
  }

  /** Whether something that it enqueued may not be added, and it has not looked. */
  get isUndecided(): boolean {
    return this.#refusals !== undefined && (this.#refusals.isPending || this.unseenRefusal !== undefined)
  }

  /** Something that it enqueued was refused, and it has not looked. */
  get unseenRefusal(): { readonly error: unknown } | undefined {
    return this.#refusals?.unseen()
  }

  /** Undefined: it was added at once. */
  #enqueue(
    jobType: string,
    payload: unknown,
    options: EnqueueOptions | undefined,
  ): Promise<void> | undefined {
    // Before anything is awaited: the handler may have gone on to another span by then.
    const traceparent = activeTraceparent() ?? this.#details?.traceparent
    const definition = this.#surroundings.handlers.get(jobType)
    if (definition === undefined) throw unknownJobType(jobType, this.#surroundings.handlers.keys())
    if (options !== undefined) checkEnqueueOptions(options)
    const child = { jobType, payload: encodePayload(payload), options: copyOptions(options), traceparent }
    const valid = validatePayload(jobType, definition.payload, payload)
    // Only where it must: what a handler forgets to await is added all the same.
    if (valid instanceof Promise) return valid.then(() => this.#add(child))
    this.#add(child)
    return undefined
  }

  #add(child: ChildJob): void {
    this.#assertRunning(`enqueued ${child.jobType}`, 'ctx.enqueue')
    this.#children ??= []
    if (this.#children.length >= maxChildren) {
      throw engineError('BULK_TOO_LARGE', {
        found: `${this.jobId} enqueues more than ${maxChildren.toLocaleString('en')} jobs in one attempt`,
        action: 'Enqueue a job that enqueues the rest.',
      })
    }
    this.#childCharacters += child.payload.length
    if (this.#childCharacters > maxJsonCharacters) {
      throw engineError('BULK_TOO_LARGE', {
        found: `${this.jobId} enqueues more than ${maxJsonCharacters.toLocaleString('en')} characters of payload in one attempt`,
        action: 'Enqueue a job that enqueues the rest.',
      })
    }
    this.#children.push(child)
  }

  get log(): AttemptLog {
    if (this.#log === undefined) {
      const { clock, database, jobLogBytes } = this.#surroundings
      const { jobId, attempt } = this
      this.#log = new AttemptLog({
        jobId,
        attempt,
        files: jobFilesOf(database, jobId),
        maxBytes: jobLogBytes,
        clock,
        onFailure: (thrown) => this.logFailed(toPlainError(thrown)),
      })
      if (this.#ended) this.#log.close()
    }
    return this.#log
  }

  progress(fraction: number, note?: string): void {
    this.#assertRunning('told its progress', 'ctx.progress')
    this.#leave().progress(fraction, note)
  }

  artifact(name: string, data: ArtifactData): string {
    this.#assertRunning(`kept the artifact ${describe(name)}`, 'ctx.artifact')
    return this.#leave().artifact(name, data)
  }

  summarize(value: unknown): void {
    this.#assertRunning('summarized', 'ctx.summarize')
    this.#leave().summarize(value)
  }

  /** Ends the validity of the context; gives what the handler enqueued. */
  close(): readonly ChildJob[] | undefined {
    this.#ended = true
    this.#log?.close()
    this.#refusals?.conceal()
    return this.#children
  }

  /** What it has left behind; undefined: nothing. To be called once it is closed. */
  leavings(): Leavings | undefined {
    return this.#leavings?.close()
  }

  #leave(): AttemptLeavings {
    if (this.#leavings === undefined) {
      const { database, clock, desk } = this.#surroundings
      const { jobId, attempt } = this
      const files = jobFilesOf(database, jobId)
      this.#leavings = new AttemptLeavings({ jobId, seq: this.#seq, attempt, database, files, clock, desk })
    }
    return this.#leavings
  }

  #tellFailure(failure: Error): void {
    const { jobType, traceId } = this
    this.#surroundings.onLogFailure({ seq: this.#seq, jobType, traceId, error: toPlainError(failure) })
  }

  #assertRunning(what: string, call: string): void {
    if (this.#ended) throw hasEnded(this.jobId, what, call)
  }
}

function logFailure(jobId: string, folder: string, { message, code }: PlainError): Error {
  const found = `The log of ${jobId} cannot be written`
  const allowed = `a file of its own in ${folder}`
  const details = { reason: code }
  // One that is ours says what to do.
  if (code === 'PATH_INVALID')
    return engineError('JOB_LOG_FAILED', { found, allowed, action: message, details })
  return engineError('JOB_LOG_FAILED', {
    found: `${found}: ${message}`,
    allowed,
    action: 'See that there is room, that this user may write there, and that nothing else is in its place.',
    details,
  })
}

function traceFailure(jobId: string, thrown: unknown): Error {
  return engineError('TRACE_FAILED', {
    found: `The trace of ${jobId} cannot be recorded: ${toPlainError(thrown).message}`,
    action:
      'The job goes on, and its thread does not say this again. Look at what the set-up module registers with OpenTelemetry.',
    cause: thrown,
  })
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
    case 'failed':
      return engineError('JOB_FAILED', {
        found: `${jobId} has failed: something that its handler had begun threw where nobody could catch it`,
        action: 'Give way.',
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
