import type { JobSeq } from '../job/id.ts'
import { isFinal } from '../job/state.ts'
import type { JobWriter } from '../store/writer.ts'
import type { Claims } from './claims.ts'

/**
 * The programs that wait for their turn, as the supervisor sees them: only as many are claimed as may run at a time. So
 * those that wait do so in the database, where their times, priorities and cancels are seen to like those of all jobs.
 */
export class ProgramLane {
  readonly #writer: JobWriter
  readonly #claims: Claims
  readonly #concurrency: number
  /** How often a program had come to wait when none was left, or none but held ones; undefined: not known to be so. */
  #clearedAt: number | undefined
  /** Programs one of which may end the process: see program-deaths.ts. */
  #suspects: readonly JobSeq[] = []

  constructor(writer: JobWriter, claims: Claims, concurrency: number) {
    this.#writer = writer
    this.#claims = claims
    this.#concurrency = concurrency
  }

  /** How many more may be claimed. */
  get room(): number {
    return this.#claims.roomForPrograms(this.#suspects.length > 0 ? 1 : this.#concurrency)
  }

  /** Until these have ended programs run one at a time. */
  suspect(seqs: readonly JobSeq[]): void {
    this.#suspects = seqs
  }

  /** Suspects no more what has ended, or failed in a way of its own. */
  clearSuspects(): void {
    const isOpen = (seq: JobSeq) => {
      const job = this.#writer.jobGet(seq)
      return job !== undefined && !isFinal(job.state) && job.waitsFor !== 'time'
    }
    // As long as there is one, the others need no look.
    const open = this.#suspects.findIndex(isOpen)
    this.#suspects = open === -1 ? [] : this.#suspects.slice(open)
  }

  /** Whether programs may be waiting that are not held. */
  get mayHoldMore(): boolean {
    return this.#clearedAt !== this.#writer.lanes.everProgram
  }

  /** Nothing is left but held ones, until another comes to wait. */
  clear(): void {
    this.#clearedAt = this.#writer.lanes.everProgram
  }

  /** What was held may be so no more. */
  lookAgain(): void {
    this.#clearedAt = undefined
  }

  /** Remembers what is known of the table; the answer recalls it. */
  mark(): () => void {
    const clearedAt = this.#clearedAt
    const suspects = this.#suspects
    return () => {
      this.#clearedAt = clearedAt
      this.#suspects = suspects
    }
  }
}
