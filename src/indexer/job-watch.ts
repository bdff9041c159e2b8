import type { Engine } from '../engine/engine.ts'
import { type ErrorCode, isErrorCode, SemanticaError } from '../errors.ts'
import type { IndexFileOutcome } from './index-jobs.ts'

/** Errors of the store behind the jobs: they would fail every other file as well. */
const storeErrors: ReadonlySet<string> = new Set<ErrorCode>([
  'ACTOR_FAILED',
  'DATABASE_CORRUPT',
  'DATABASE_FAILED',
  'DATABASE_FOREIGN',
  'DATABASE_NEWER',
  'DATABASE_READ_ONLY',
  'DISK_FULL',
])

/** What is read of a `job-settled` event. */
interface SettledJob {
  readonly state: string
  readonly subjectKey: string | undefined
  readonly result: unknown
  readonly error: { readonly code?: string; readonly message: string } | undefined
}

export interface JobListener {
  succeeded(outcome: IndexFileOutcome): void
  failed(subjectKey: string, reason: string): void
}

/**
 * Follows the jobs of a run to their ends. Gives up early when the caller's signal fires, and when the store fails: a
 * full disk is one error, not one for each file.
 */
export class JobWatch {
  readonly #engine: Engine
  readonly #givenUp = Promise.withResolvers<void>()
  readonly #release: () => void

  constructor(engine: Engine, signal: AbortSignal | undefined, listener: JobListener) {
    this.#engine = engine
    this.#givenUp.promise.catch(() => {})
    const onAbort = () => this.#givenUp.resolve()
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    const onSettled = ({ state, subjectKey, error, result }: SettledJob) => {
      // Only INDEX_FILE jobs are in this database, and these return nothing else.
      if (state === 'DONE') return listener.succeeded(result as IndexFileOutcome)
      if (error?.code !== undefined && isErrorCode(error.code) && storeErrors.has(error.code)) {
        this.#givenUp.reject(new SemanticaError(error.code, error.message))
      }
      listener.failed(subjectKey ?? '', error?.message ?? `The job ended as ${state}`)
    }
    engine.events.on('job-settled', onSettled)
    this.#release = () => {
      signal?.removeEventListener('abort', onAbort)
      engine.events.off('job-settled', onSettled)
    }
  }

  /** Waits for `work`, but no longer than it makes sense. */
  async during(work: Promise<unknown>): Promise<void> {
    work.catch(() => {})
    await Promise.race([work, this.#givenUp.promise])
  }

  /** Waits until no job is left, and stops listening. */
  async untilIdle(): Promise<void> {
    try {
      await this.during(this.#engine.idle())
    } finally {
      this.#release()
    }
  }
}
