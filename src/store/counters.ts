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

/** What has happened in one queue since the start; only ever grows, and a rollback leaves no trace. */
export interface QueueFlow {
  /** Jobs that were added, in whatever state. */
  readonly added: number
  /** How often a job came into each state. */
  readonly entered: Readonly<QueueCounts>
}

/** What the open transaction has changed in one queue. */
interface QueueChange {
  readonly counts: QueueCounts
  added: number
  readonly entered: QueueCounts
}

/**
 * How many jobs each queue has in each state. Counted in memory, written with the commit that changed them, so that
 * the stored numbers are exact after any crash and asking costs nothing, whatever the number of rows.
 *
 * Changes of an open transaction are kept apart: a rollback forgets them.
 */
export class Counters {
  readonly #committed = new Map<string, QueueCounts>()
  readonly #flows = new Map<string, QueueChange>()
  #changes = new Map<string, QueueChange>()
  /** Of all queues together, the open transaction included. */
  #totals = noJobs()
  #everQueued = 0
  #transitions = 0
  /** Of all queues together, those that were forgotten too. */
  readonly #entered = noJobs()
  /** Queues that were empty when they were looked at last, with what had been added to them until then. */
  #emptied = new Map<string, number>()

  /** How many times a job came to wait for its turn since the start; never less, not even after a rollback. */
  get everQueued(): number {
    return this.#everQueued
  }

  load(rows: Iterable<{ readonly queue: string; readonly state: JobState; readonly jobs: number }>): void {
    for (const { queue, state, jobs } of rows) if (jobs !== 0) countsOf(this.#committed, queue)[state] += jobs
    this.#recount()
  }

  add(queue: string, state: JobState, jobs: number): void {
    const change = changeOf(this.#changes, queue)
    change.counts[state] += jobs
    this.#totals[state] += jobs
    // Fewer: rows are deleted, which is nothing that a job does.
    if (jobs <= 0) return
    change.added += jobs
    change.entered[state] += jobs
    if (state === 'QUEUED') this.#everQueued += jobs
  }

  move(queue: string, from: JobState, to: JobState, jobs = 1): void {
    const { counts, entered } = changeOf(this.#changes, queue)
    counts[from] -= jobs
    counts[to] += jobs
    entered[to] += jobs
    this.#totals[from] -= jobs
    this.#totals[to] += jobs
    if (to === 'QUEUED') this.#everQueued += jobs
  }

  /** Calls `write` with each number that the open transaction changed. */
  flush(write: (queue: string, state: JobState, jobs: number) => void): void {
    for (const [queue, { counts }] of this.#changes) {
      const committed = this.#committed.get(queue)
      for (const [state, change] of Object.entries(counts) as [JobState, number][]) {
        if (change !== 0) write(queue, state, (committed?.[state] ?? 0) + change)
      }
    }
  }

  committed(): void {
    for (const [queue, { counts, added, entered }] of this.#changes) {
      const committed = countsOf(this.#committed, queue)
      const flow = changeOf(this.#flows, queue)
      flow.added += added
      for (const state of jobStates) {
        committed[state] += counts[state]
        flow.entered[state] += entered[state]
        this.#entered[state] += entered[state]
        this.#transitions += entered[state]
      }
    }
    this.#changes.clear()
  }

  rolledBack(): void {
    this.#changes.clear()
    this.#recount()
  }

  /** The open transaction's changes so far, to come back to when a savepoint is rolled back. */
  mark(): CountersMark {
    return copyOf(this.#changes)
  }

  rollbackTo(mark: CountersMark): void {
    this.#changes = copyOf(mark)
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

  /** What the commits since the start have done in a queue. */
  flowOf(queue: string): QueueFlow {
    return changeOf(this.#flows, queue)
  }

  /**
   * Forgets queues that have no job, once nothing was added to them since the last call: one for each of many tenants would
   * be told for ever. Of one that is in use the flow goes on. Nothing is lost: what is not known counts as 0.
   */
  forgetEmpty(): void {
    const emptied = new Map<string, number>()
    for (const [queue, counts] of this.#committed) {
      if (this.#changes.has(queue) || jobStates.some((state) => counts[state] !== 0)) continue
      const { added } = this.flowOf(queue)
      if (this.#emptied.get(queue) === added) {
        this.#committed.delete(queue)
        this.#flows.delete(queue)
      } else {
        emptied.set(queue, added)
      }
    }
    this.#emptied = emptied
  }

  /** How often a job came into each state, in all commits since the start and all queues together. */
  get entered(): Readonly<QueueCounts> {
    return this.#entered
  }

  /** How often a job came into a state, in all commits since the start. */
  get transitions(): number {
    return this.#transitions
  }

  #recount(): void {
    const totals = noJobs()
    for (const counts of this.#committed.values()) addTo(totals, counts)
    for (const { counts } of this.#changes.values()) addTo(totals, counts)
    this.#totals = totals
  }
}

export type CountersMark = ReadonlyMap<string, Readonly<QueueChange>>

function addTo(totals: QueueCounts, counts: QueueCounts): void {
  for (const state of jobStates) totals[state] += counts[state]
}

function copyOf(changes: CountersMark): Map<string, QueueChange> {
  return new Map(
    [...changes].map(([queue, { counts, added, entered }]) => [
      queue,
      { counts: { ...counts }, added, entered: { ...entered } },
    ]),
  )
}

function changeOf(queues: Map<string, QueueChange>, queue: string): QueueChange {
  let change = queues.get(queue)
  if (change === undefined) {
    change = { counts: noJobs(), added: 0, entered: noJobs() }
    queues.set(queue, change)
  }
  return change
}

function countsOf(queues: Map<string, QueueCounts>, queue: string): QueueCounts {
  let counts = queues.get(queue)
  if (counts === undefined) {
    counts = noJobs()
    queues.set(queue, counts)
  }
  return counts
}
