import type { PlainError } from '../errors.ts'
import type { AttemptEnd } from './messages.ts'

/** What is kept of jobs that something threw of where nobody could catch it. */
export class LateThrows<Job extends object> {
  readonly #throws = new WeakMap<Job, number>()
  readonly #held = new Map<Job, AttemptEnd>()

  /**
   * Counts one throw of what the job had begun, and gives how many there were so far. Undefined: that is not worth a word,
   * which are the first, the 10th, the 100th and so on, since an interval may throw for ever.
   */
  count(job: Job): number | undefined {
    const throws = (this.#throws.get(job) ?? 0) + 1
    this.#throws.set(job, throws)
    return Number.isInteger(Math.log10(throws)) ? throws : undefined
  }

  /** Keeps how an attempt ends whose handler still runs. */
  hold(job: Job, end: AttemptEnd): void {
    this.#held.set(job, end)
  }

  /** What was kept for this job, whose handler has ended now. */
  take(job: Job): AttemptEnd | undefined {
    if (this.#held.size === 0) return undefined
    const end = this.#held.get(job)
    this.#held.delete(job)
    return end
  }
}

/** What is told of a job that had ended when it called for the end of its thread. */
export function exitedLate(call: string): PlainError {
  return { name: 'Exited', message: `${call} was called after the job had ended` }
}
