/** What the supervisor tells about itself when it is asked: all that metrics and alerts are made of. */
import type { JobState } from '../job/state.ts'
import type { HistogramFacts } from './histogram.ts'

export interface EngineFacts {
  readonly queues: Readonly<Record<string, QueueFacts>>
  /** Pool threads that take batches, and how many of them are at work. */
  readonly threads: { readonly ready: number; readonly busy: number }
  /** Jobs that are claimed: given to a thread, or about to be. */
  readonly claims: number
  /** Messages that wait for the supervisor. */
  readonly mailbox: number
  readonly commits: number
  /** Of the database file, how much of it is free, and of the WAL the part in use. */
  readonly fileBytes: number
  readonly freeBytes: number
  readonly walBytes: number
  /** How often a job came into each state since the start, in all queues together, those that are empty and forgotten too. */
  readonly entered: Readonly<Record<JobState, number>>
  /** Whether jobs of low priority are held back. */
  readonly isThrottled: boolean
  /** Runs of maintenance that failed since one did not. */
  readonly failedMaintenanceRuns: number
  /** Undefined: metrics are off, and nothing was measured. */
  readonly measured: MeasuredFacts | undefined
}

export interface QueueFacts {
  /** How many jobs are in each state now. */
  readonly jobs: Readonly<Record<JobState, number>>
  /** Jobs that are claimed, and whose handlers have not begun: they wait in a thread, or for one. */
  readonly waitingClaims: number
  /** Since the start: jobs that were added, and how often one came into each state. */
  readonly added: number
  readonly entered: Readonly<Record<JobState, number>>
}

export interface MeasuredFacts {
  /** By job type, in seconds. */
  readonly waits: Readonly<Record<string, HistogramFacts>>
  readonly runs: Readonly<Record<string, HistogramFacts>>
  readonly commitSeconds: HistogramFacts
  readonly commitChanges: HistogramFacts
  readonly loopDelay: LoopDelayFacts
}

/** How much later than planned the supervisor's event loop came to its timers, in seconds. */
export interface LoopDelayFacts {
  readonly median: number
  readonly p99: number
  readonly maximum: number
}
