/**
 * Waits for outcomes. The jobs that are asked about in one turn go to the supervisor in one message; it tells when each
 * has ended. Those that had ended before are read from the store.
 */
import { assert, engineError, fromPlainError, type PlainError, textWithCauses } from '../errors.ts'
import { type DatabaseId, encodeJobId, toJobSeq } from '../job/id.ts'
import type { FinalState } from '../job/state.ts'
import type { JobReading } from '../store/messages.ts'
import type { JobFailure, JobOutcome } from '../supervisor/messages.ts'
import { storedJson } from './stored-json.ts'

/** Jobs that are read from the store at a time: each may hold 20 MB. */
const readAtOnce = 32

export interface OutcomeSources {
  readonly databaseId: DatabaseId
  /** Asks for outcomes to be told; resolves to those jobs that have one already, or do not exist. */
  watch(seqs: readonly number[]): Promise<readonly number[]>
  read(seqs: readonly number[]): Promise<readonly JobReading[]>
}

export class Outcomes {
  readonly #sources: OutcomeSources
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #asked: number[] = []

  constructor(sources: OutcomeSources) {
    this.#sources = sources
  }

  /**
   * Resolves to the job's result.
   *
   * @throws JOB_FAILED, JOB_CANCELLED, SUPERSEDED, JOB_SKIPPED, JOB_UNKNOWN
   */
  resultOf(seq: number): Promise<unknown> {
    const waiting = this.#waiting.get(seq)
    if (waiting !== undefined) return waiting.promise
    const outcome = Promise.withResolvers<unknown>()
    this.#waiting.set(seq, outcome)
    if (this.#asked.length === 0) queueMicrotask(() => void this.#ask())
    this.#asked.push(seq)
    return outcome.promise
  }

  told(outcomes: readonly JobOutcome[]): void {
    for (const outcome of outcomes) this.#settle(outcome)
  }

  /** Rejects everything that waits. */
  close(reason: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(reason)
    this.#waiting.clear()
  }

  async #ask(): Promise<void> {
    const seqs = this.#asked
    this.#asked = []
    try {
      const ended = await this.#sources.watch(seqs)
      if (ended.length === 0) return
      for (let first = 0; first < ended.length; first += readAtOnce) {
        await this.#read(ended.slice(first, first + readAtOnce))
      }
    } catch (error) {
      for (const seq of seqs) this.#reject(seq, error)
    }
  }

  async #read(ended: readonly number[]): Promise<void> {
    const unknown = new Set(ended)
    for (const { row, attempts } of await this.#sources.read(ended)) {
      unknown.delete(row.seq)
      const last = attempts.at(-1)
      this.#settle({
        seq: row.seq,
        state: row.state as FinalState,
        result: row.result ?? undefined,
        failure: last?.error
          ? { cause: last.cause as JobFailure['cause'], error: JSON.parse(last.error) }
          : undefined,
        supersededBy: row.supersededBy ?? undefined,
      })
    }
    for (const seq of unknown) this.#reject(seq, this.#unknown(seq))
  }

  #settle(outcome: JobOutcome): void {
    const waiting = this.#waiting.get(outcome.seq)
    if (waiting === undefined) return
    this.#waiting.delete(outcome.seq)
    try {
      if (outcome.state !== 'DONE') waiting.reject(this.#errorOf(outcome))
      else waiting.resolve(storedJson(outcome.result, this.#id(outcome.seq), 'result'))
    } catch (error) {
      // Of a row that is damaged. Nobody but who waits for it is to suffer.
      waiting.reject(error)
    }
  }

  #reject(seq: number, error: unknown): void {
    this.#waiting.get(seq)?.reject(error)
    this.#waiting.delete(seq)
  }

  #errorOf({ seq, state, failure, supersededBy }: JobOutcome): Error {
    const jobId = this.#id(seq)
    switch (state) {
      case 'FAILED': {
        const cause: PlainError = failure?.error ?? { name: 'Error', message: 'no error was recorded' }
        return engineError('JOB_FAILED', {
          found: `${jobId} failed (${failure?.cause ?? 'unknown'}): ${textWithCauses(cause)}`,
          action: 'Mend the cause; engine.retry() runs it again as a new job.',
          cause: fromPlainError(cause),
          details: { jobId, cause: failure?.cause },
        })
      }
      case 'CANCELLED':
        return engineError('JOB_CANCELLED', {
          found: `${jobId} was cancelled`,
          action: 'engine.retry() runs it again as a new job.',
          details: { jobId },
        })
      case 'SUPERSEDED': {
        const newer = supersededBy === undefined ? undefined : this.#id(supersededBy)
        return engineError('SUPERSEDED', {
          found: `${jobId} was superseded by ${newer ?? 'a newer generation'}`,
          action: 'Wait for that job instead.',
          details: { jobId, supersededBy: newer },
        })
      }
      case 'SKIPPED_TTL':
      case 'SKIPPED_DEADLINE':
        return engineError('JOB_SKIPPED', {
          found: `${jobId} ended as ${state}: its time was over before its handler could begin`,
          action: 'Enqueue it with more time, or see why the queue is slow.',
          details: { jobId, state },
        })
      case 'DONE':
        break
    }
    assert(false, 'a job that is DONE has no error')
  }

  #unknown(seq: number): Error {
    return engineError('JOB_UNKNOWN', {
      found: `${this.#id(seq)} does not exist`,
      action: 'It may have been pruned.',
    })
  }

  #id(seq: number): string {
    return encodeJobId(this.#sources.databaseId, toJobSeq(seq))
  }
}
