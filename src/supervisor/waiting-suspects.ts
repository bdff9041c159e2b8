import type { JobWriter } from '../store/writer.ts'
import { exclusiveSuspicion } from './claims.ts'

interface Count {
  /** Of any degree. */
  readonly all: number
  /** Those that run alone in the whole engine. */
  readonly exclusive: number
}

/**
 * How many suspects wait in the backlog: others wait for what they will show. A death may leave thousands, and each runs
 * alone, so they are counted in the table once, and from then on as they come and go.
 */
export class WaitingSuspects {
  readonly #writer: Pick<JobWriter, 'backlogCount'>
  /** Undefined: to be counted in the table. */
  #count: Count | undefined

  constructor(writer: Pick<JobWriter, 'backlogCount'>) {
    this.#writer = writer
  }

  get all(): number {
    return this.#counted().all
  }

  get exclusive(): number {
    return this.#counted().exclusive
  }

  /** A job with this suspicion has come into the backlog. */
  came(suspicion: number): void {
    this.#change(suspicion, 1)
  }

  /** A job with this suspicion has left the backlog. */
  left(suspicion: number): void {
    this.#change(suspicion, -1)
  }

  /** Nobody has said which have come. */
  recount(): void {
    this.#count = undefined
  }

  /** The answer recalls what is known now, for when a transaction is rolled back. */
  mark(): () => void {
    const count = this.#count
    return () => {
      this.#count = count
    }
  }

  #counted(): Count {
    this.#count ??= {
      all: this.#writer.backlogCount(1),
      exclusive: this.#writer.backlogCount(exclusiveSuspicion),
    }
    return this.#count
  }

  #change(suspicion: number, by: 1 | -1): void {
    if (suspicion === 0 || this.#count === undefined) return
    const { all, exclusive } = this.#count
    this.#count = {
      all: all + by,
      exclusive: suspicion >= exclusiveSuspicion ? exclusive + by : exclusive,
    }
  }
}
