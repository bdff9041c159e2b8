import { unreachable } from '../errors.ts'
import type { EventInterest, JobOutcome, SettledJob, SupervisorNotice } from './messages.ts'

/** Who wants to hear how jobs ended: of one job (`job.result()`), or of all (`engine.events`). One message a cycle. */
export class Subscriptions {
  readonly #tell: (notice: SupervisorNotice) => void
  readonly #watched = new Set<number>()
  #wantsAll = false
  #wantsProgress = false
  #outcomes: JobOutcome[] = []
  #settled: SettledJob[] = []

  constructor(tell: (notice: SupervisorNotice) => void) {
    this.#tell = tell
  }

  watch(seq: number): void {
    this.#watched.add(seq)
  }

  heed({ event, isWanted }: EventInterest): void {
    switch (event) {
      case 'job-settled':
        this.#wantsAll = isWanted
        return
      case 'job-progress':
        this.#wantsProgress = isWanted
        return
      default:
        unreachable(event)
    }
  }

  get wantsProgress(): boolean {
    return this.#wantsProgress
  }

  wants(seq: number): boolean {
    return this.#wantsAll || this.#watched.has(seq)
  }

  settled(job: SettledJob): void {
    if (this.#watched.delete(job.seq)) {
      const { seq, state, result, failure, supersededBy } = job
      this.#outcomes.push({ seq, state, result, failure, supersededBy })
    }
    if (this.#wantsAll) this.#settled.push(job)
  }

  flush(): void {
    if (this.#outcomes.length > 0) {
      this.#tell({ kind: 'outcomes', outcomes: JSON.stringify(this.#outcomes) })
      this.#outcomes = []
    }
    if (this.#settled.length > 0) {
      this.#tell({ kind: 'settled', jobs: JSON.stringify(this.#settled) })
      this.#settled = []
    }
  }
}
