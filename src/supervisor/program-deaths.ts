/**
 * Programs that ran when the process died. Each has a process of its own and is seldom the cause, so it runs again as if
 * nothing had been. But one may end the engine with it, by a signal or by taking all memory, and would do so for ever:
 * from the third death in a row at which it ran on, each is a failed attempt of it.
 */
import { backoffDelayMs } from '../job/retry.ts'
import type { InterruptedRow } from '../store/rows.ts'
import type { JobWriter } from '../store/writer.ts'
import { type Changes, parsePolicy } from './changes.ts'
import type { JobFailure } from './messages.ts'

const chargedFrom = 3

export const diedWithProgram: JobFailure = {
  cause: 'PROCESS_DIED',
  error: {
    name: 'ProcessDied',
    message: `The process ended while this program ran, at least ${chargedFrom} times in a row`,
  },
}

export class ProgramDeaths {
  readonly #writer: JobWriter
  readonly #before: ReadonlyMap<number, number>
  readonly #now: [seq: number, deaths: number][] = []

  constructor(writer: JobWriter) {
    this.#writer = writer
    this.#before = new Map(writer.interrupted.programDeaths)
  }

  /** Counts one more; true: it is to be charged. */
  count({ seq }: InterruptedRow): boolean {
    const deaths = (this.#before.get(seq) ?? 0) + 1
    this.#now.push([seq, deaths])
    return deaths >= chargedFrom
  }

  /** Of a program that did not run at the last death nothing is kept. */
  keep(): void {
    if (this.#before.size > 0 || this.#now.length > 0) this.#writer.interrupted.keepProgramDeaths(this.#now)
  }
}

/** Puts it back after a failed attempt. Undefined: it has none left. */
export function retryProgram(changes: Changes, row: InterruptedRow, now: number): number | undefined {
  changes.recordAttempt(row, diedWithProgram, null, now)
  const failures = row.failures + 1
  const policy = changes.jobTypes.get(row.jobType).retryPolicy(parsePolicy(row.policy))
  if (failures >= policy.maxAttempts) return undefined
  const delayMs = backoffDelayMs(policy, failures, changes.random())
  const runAt = now + delayMs
  const { seq, attempt, queue, jobType } = row
  changes.writer.jobPutBack(seq, attempt, queue, { jobType, runAt, attempt, failures, suspicion: 0 })
  changes.dueAt = Math.min(runAt, changes.dueAt ?? runAt)
  return delayMs
}
