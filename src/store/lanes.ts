import type { JobState, WaitsFor } from '../job/state.ts'

/** What a claim takes: jobs for the threads, by their degree of suspicion, or programs, which take no thread. */
export type Lane = 'trusted' | 'suspects' | 'exclusive' | 'programs'

/**
 * How jobs wait for their turn. Those that are programs have a lane of their own, which no claim for the threads looks at:
 * they wait for each other, and most of them for long. None of them is ever a suspect, since a program runs in a process
 * of its own.
 */
export class Lanes {
  readonly isProgram: (jobType: string) => boolean
  #everProgram = 0

  constructor(isProgram: (jobType: string) => boolean) {
    this.isProgram = isProgram
  }

  /** How many times a program came to wait for its turn since the start; never less, not even after a rollback. */
  get everProgram(): number {
    return this.#everProgram
  }

  /** To be called for each job, or several of one type, that from now on waits for its turn; says how. */
  enter(jobType: string): Extract<WaitsFor, 'turn' | 'program'> {
    if (!this.isProgram(jobType)) return 'turn'
    this.#everProgram++
    return 'program'
  }
}

export function waitingState(waitsFor: WaitsFor): Extract<JobState, 'QUEUED' | 'SCHEDULED'> {
  return waitsFor === 'turn' ? 'QUEUED' : 'SCHEDULED'
}
