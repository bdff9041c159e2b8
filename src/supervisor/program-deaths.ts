/**
 * Programs that ran when the process died. Each has a process of its own and is seldom the cause, so it runs again as if
 * nothing had been. But one may end the engine with it, by a signal or by taking all memory, and would do so for ever. So
 * after the second death in a row at which it ran, programs run one at a time until it has ended; from the third on, each
 * is a failed attempt of it.
 */
import type { JobSeq } from '../job/id.ts'
import type { InterruptedRow } from '../store/rows.ts'
import { type Changes, parsePolicy } from './changes.ts'
import { retryDelayMs } from './fail-attempt.ts'
import type { JobFailure } from './messages.ts'

const chargedFrom = 3
/** From so many on no other program may run at the next one: it would be charged too. */
const aloneFrom = chargedFrom - 1

export const diedWithProgram: JobFailure = {
  cause: 'PROCESS_DIED',
  error: {
    name: 'ProcessDied',
    message: `The process ended while this program ran, at least ${chargedFrom} times in a row`,
  },
}

export class ProgramDeaths {
  readonly #changes: Changes
  readonly #before: ReadonlyMap<number, number>
  readonly #now = new Map<JobSeq, number>()

  constructor(changes: Changes) {
    this.#changes = changes
    this.#before = new Map(changes.writer.interrupted.programDeaths)
  }

  /** Counts one more; true: it is to be charged. */
  count({ seq }: InterruptedRow): boolean {
    const deaths = (this.#before.get(seq) ?? 0) + 1
    this.#now.set(seq, deaths)
    return deaths >= chargedFrom
  }

  /** It could not be recovered, and nothing runs until the next start tries again: this death is not counted. */
  uncount(seq: JobSeq): void {
    const before = this.#before.get(seq)
    if (before === undefined) this.#now.delete(seq)
    else this.#now.set(seq, before)
  }

  /** Of a program that did not run at the last death nothing is kept. */
  keep(): void {
    const deaths = [...this.#now]
    const { programs, writer } = this.#changes
    if (this.#before.size > 0 || deaths.length > 0) writer.interrupted.keepProgramDeaths(deaths)
    programs.suspect(deaths.filter(([, times]) => times >= aloneFrom).map(([seq]) => seq))
  }
}

/** Puts it back after a failed attempt; gives the delay until the next one. Undefined: there is none, and it has to end. */
export function retryProgram(changes: Changes, row: InterruptedRow, now: number): number | undefined {
  changes.recordAttempt(row, diedWithProgram, null, now)
  const { seq, attempt, queue, jobType } = row
  const policy = parsePolicy(row.policy)
  const failed = { ...row, policy, jobType: changes.jobTypes.get(jobType) }
  const delayMs = retryDelayMs(changes, failed, { kind: 'retry' }, now)
  if (delayMs === undefined) return undefined
  const { ttlEndsAt } = policy ?? {}
  if (ttlEndsAt !== undefined) changes.writer.expirations.remove(seq, { ttlEndsAt })
  const back = { jobType, runAt: now + delayMs, attempt, failures: row.failures + 1, suspicion: 0 }
  changes.writer.jobPutBack(seq, attempt, queue, back)
  return delayMs
}
