/**
 * The state transitions of jobs, on their way to the log of the host.
 *
 * They are gathered as runs of neighbours that changed alike, of which a cycle of tiny jobs has a few, and told once a
 * cycle, after the commit. What a rollback undoes is forgotten with it. How much may be told and not yet be in the log is
 * bounded: over it they are counted instead.
 */
import { limits } from '../config.ts'
import type { JobState } from '../job/state.ts'
import type { TransitionRun } from '../telemetry/transition-lines.ts'
import type { SupervisorNotice } from './messages.ts'

/** Whose state changed. */
export interface ChangedJob {
  readonly seq: number
  readonly jobType: string | { readonly name: string }
  readonly queue: string
  readonly attempt: number
  /** The span that it was enqueued in, where that is known. */
  readonly traceparent?: string | null | undefined
}

/** Gives back what was recorded by then. */
interface Mark {
  readonly runs: number
  readonly jobsOfLast: number
}

export class Transitions {
  readonly #tell: (notice: SupervisorNotice) => void
  readonly #maxPending: number
  #runs: TransitionRun[] = []
  #pendingCharacters = 0
  #dropped = 0

  constructor(
    tell: (notice: SupervisorNotice) => void,
    maxPending: number = limits.pendingTransitionCharacters,
  ) {
    this.#tell = tell
    this.#maxPending = maxPending
  }

  /**
   * To be called in the transaction that changes the state.
   *
   * @param durationMs how long the attempt took that has ended with this
   */
  record(job: ChangedJob, from: JobState | null, state: JobState, durationMs: number | null = null): void {
    this.recordRun(1, job, from, state, durationMs)
  }

  /** The same of so many neighbours, the first of which is `job`. */
  recordRun(
    jobs: number,
    job: ChangedJob,
    from: JobState | null,
    state: JobState,
    durationMs: number | null = null,
  ): void {
    const { seq, queue, attempt, traceparent = null } = job
    const jobType = typeof job.jobType === 'string' ? job.jobType : job.jobType.name
    const last = this.#runs.at(-1)
    const continues =
      last !== undefined &&
      seq === last.firstSeq + last.jobs &&
      state === last.state &&
      from === last.from &&
      durationMs === last.durationMs &&
      attempt === last.attempt &&
      jobType === last.jobType &&
      queue === last.queue &&
      traceparent === last.traceparent
    if (continues) last.jobs += jobs
    else
      this.#runs.push({ firstSeq: seq, jobs, jobType, queue, from, state, attempt, durationMs, traceparent })
  }

  mark(): Mark {
    return { runs: this.#runs.length, jobsOfLast: this.#runs.at(-1)?.jobs ?? 0 }
  }

  rollbackTo({ runs, jobsOfLast }: Mark): void {
    this.#runs.length = runs
    const last = this.#runs.at(-1)
    if (last !== undefined) last.jobs = jobsOfLast
  }

  /** Tells what was committed. Not inside a transaction. */
  flush(at: number): void {
    if (this.#runs.length === 0) return
    const runs = JSON.stringify(this.#runs)
    if (this.#pendingCharacters > 0 && this.#pendingCharacters + runs.length > this.#maxPending) {
      for (const { jobs } of this.#runs) this.#dropped += jobs
    } else {
      this.#send(runs, at)
    }
    this.#runs = []
  }

  /** So much of what was told is in the log. */
  logged(characters: number, now: number): void {
    this.#pendingCharacters -= characters
    if (this.#pendingCharacters === 0 && this.#dropped > 0) this.#send('[]', now)
  }

  #send(runs: string, at: number): void {
    this.#pendingCharacters += runs.length
    this.#tell({ kind: 'transitions', runs, at, dropped: this.#dropped })
    this.#dropped = 0
  }
}
