import { type JobState, jobStates } from '../job/state.ts'

/** Jobs of one queue by state. */
export type QueueCounts = Record<JobState, number>

function noJobs(): QueueCounts {
  return {
    QUEUED: 0,
    SCHEDULED: 0,
    RUNNING: 0,
    DONE: 0,
    FAILED: 0,
    CANCELLED: 0,
    SUPERSEDED: 0,
    SKIPPED_TTL: 0,
    SKIPPED_DEADLINE: 0,
  }
}

/**
 * How many jobs each queue has in each state. Counted in memory, written with the commit that changed them, so that
 * the stored numbers are exact after any crash and asking costs nothing, whatever the number of rows.
 *
 * Changes of an open transaction are kept apart: a rollback forgets them.
 */
export class Counters {
  readonly #committed = new Map<string, QueueCounts>()
  #changes = new Map<string, QueueCounts>()
  /** Of all queues together, the open transaction included. */
  #totals = noJobs()
  #everQueued = 0

  /** How many times a job came to wait for its turn since the start; never less, not even after a rollback. */
  get everQueued(): number {
    return this.#everQueued
  }

  load(rows: Iterable<{ readonly queue: string; readonly state: JobState; readonly jobs: number }>): void {
    for (const { queue, state, jobs } of rows) countsOf(this.#committed, queue)[state] += jobs
    this.#recount()
  }

  add(queue: string, state: JobState, jobs: number): void {
    countsOf(this.#changes, queue)[state] += jobs
    this.#totals[state] += jobs
    if (state === 'QUEUED') this.#everQueued += jobs
  }

  move(queue: string, from: JobState, to: JobState, jobs = 1): void {
    const counts = countsOf(this.#changes, queue)
    counts[from] -= jobs
    counts[to] += jobs
    this.#totals[from] -= jobs
    this.#totals[to] += jobs
    if (to === 'QUEUED') this.#everQueued += jobs
  }

  /** Calls `write` with each number that the open transaction changed. */
  flush(write: (queue: string, state: JobState, jobs: number) => void): void {
    for (const [queue, changed] of this.#changes) {
      const committed = this.#committed.get(queue)
      for (const [state, change] of Object.entries(changed) as [JobState, number][]) {
        if (change !== 0) write(queue, state, (committed?.[state] ?? 0) + change)
      }
    }
  }

  committed(): void {
    for (const [queue, changed] of this.#changes) {
      const counts = countsOf(this.#committed, queue)
      for (const [state, change] of Object.entries(changed) as [JobState, number][]) counts[state] += change
    }
    this.#changes.clear()
  }

  rolledBack(): void {
    this.#changes.clear()
    this.#recount()
  }

  /** The open transaction's changes so far, to come back to when a savepoint is rolled back. */
  mark(): ReadonlyMap<string, QueueCounts> {
    return new Map([...this.#changes].map(([queue, counts]) => [queue, { ...counts }]))
  }

  rollbackTo(mark: ReadonlyMap<string, QueueCounts>): void {
    this.#changes = new Map([...mark].map(([queue, counts]) => [queue, { ...counts }]))
    this.#recount()
  }

  /** Of all queues together, the open transaction included. */
  total(state: JobState): number {
    return this.#totals[state]
  }

  totals(): Readonly<QueueCounts> {
    return this.#totals
  }

  /** What the last commit holds, by queue. */
  byQueue(): ReadonlyMap<string, QueueCounts> {
    return this.#committed
  }

  #recount(): void {
    const totals = noJobs()
    for (const queues of [this.#committed, this.#changes]) {
      for (const counts of queues.values()) for (const state of jobStates) totals[state] += counts[state]
    }
    this.#totals = totals
  }
}

function countsOf(queues: Map<string, QueueCounts>, queue: string): QueueCounts {
  let counts = queues.get(queue)
  if (counts === undefined) {
    counts = noJobs()
    queues.set(queue, counts)
  }
  return counts
}
