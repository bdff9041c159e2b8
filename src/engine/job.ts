import { type DatabaseId, encodeJobId, toJobSeq } from '../job/id.ts'
import type { Outcomes } from './outcomes.ts'

/** What the handles of one engine share. */
export interface JobSurroundings {
  readonly databaseId: DatabaseId
  readonly outcomes: Outcomes
}

/** A job that was enqueued. Holding on to it costs nothing; it keeps no connection. */
export class Job<Result = unknown> {
  readonly jobType: string
  /** False when `idempotencyKey`, `onConflict: 'keep'` or an equal generation gave back a job that was there before. */
  readonly isNew: boolean
  readonly #surroundings: JobSurroundings
  readonly #seq: number

  constructor(surroundings: JobSurroundings, seq: number, jobType: string, isNew: boolean) {
    this.jobType = jobType
    this.isNew = isNew
    this.#surroundings = surroundings
    this.#seq = seq
  }

  /** Opaque text that stays valid for the life of the database. */
  get id(): string {
    return encodeJobId(this.#surroundings.databaseId, toJobSeq(this.#seq))
  }

  /**
   * Resolves to what the handler returned, once that is recorded.
   *
   * @throws JOB_FAILED with the handler's error as `cause`; JOB_CANCELLED; SUPERSEDED with `supersededBy`; JOB_SKIPPED;
   * JOB_UNKNOWN when the job has been pruned; ENGINE_STOPPED when the engine stops before
   */
  result(): Promise<Result> {
    // The boundary: the job type's definition says what its handler returns.
    return this.#surroundings.outcomes.resultOf(this.#seq) as Promise<Result>
  }
}
