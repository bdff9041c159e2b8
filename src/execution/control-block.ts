/**
 * The memory that a batch's pool thread and the supervisor share. A message cannot reach a synchronous loop; this can.
 *
 * Each job of the batch has a state word. The thread starts a job by compare-exchange WAITING to STARTED, the
 * supervisor takes one back by compare-exchange WAITING to TAKEN: exactly one of the two wins, so a job that was
 * taken back never starts and a started one is never given to another thread.
 *
 *   WAITING ──► STARTED ──► ENDED      by the thread
 *      └──────► TAKEN                  by the supervisor
 *
 * Beside it: when the handler began and ended (monotonic, the same clock in all threads), what the job cost its thread, a
 * word that asks the handler to give way, with the reason, and one that says who called for the end of the thread.
 */
const jobStateWords = { WAITING: 0, STARTED: 1, TAKEN: 2, ENDED: 3 } as const

/** Why a handler's signal fired. The order is the number in shared memory; never reorder. */
const abortReasons = ['none', 'cancelled', 'timed-out', 'superseded', 'stopping', 'failed'] as const
export type AbortReason = (typeof abortReasons)[number]

const bytesPerJob = 3 * Float64Array.BYTES_PER_ELEMENT + 3 * Int32Array.BYTES_PER_ELEMENT

export class ControlBlock {
  readonly memory: SharedArrayBuffer
  readonly #startedAtMs: Float64Array
  readonly #costMs: Float64Array
  readonly #endedAtMs: Float64Array
  readonly #states: Int32Array
  readonly #aborts: Int32Array
  readonly #exits: Int32Array

  constructor(memory: SharedArrayBuffer) {
    const jobs = memory.byteLength / bytesPerJob
    this.memory = memory
    this.#startedAtMs = new Float64Array(memory, 0, jobs)
    this.#costMs = new Float64Array(memory, jobs * 8, jobs)
    this.#endedAtMs = new Float64Array(memory, jobs * 16, jobs)
    this.#states = new Int32Array(memory, jobs * 24, jobs)
    this.#aborts = new Int32Array(memory, jobs * 28, jobs)
    this.#exits = new Int32Array(memory, jobs * 32, jobs)
  }

  static forJobs(jobs: number): ControlBlock {
    return new ControlBlock(new SharedArrayBuffer(jobs * bytesPerJob))
  }

  /** Thread side. False: the supervisor has taken the job back. */
  start(index: number, nowMs: number): boolean {
    // Written first, so that whoever sees STARTED sees the time as well.
    this.#startedAtMs[index] = nowMs
    const before = Atomics.compareExchange(this.#states, index, jobStateWords.WAITING, jobStateWords.STARTED)
    return before === jobStateWords.WAITING
  }

  /** Thread side: counts from `nowMs` what the attempt takes; infinity while it only waits for its turn. */
  restart(index: number, nowMs: number): void {
    this.#startedAtMs[index] = nowMs
  }

  /**
   * Thread side, before its outcome is laid down: the supervisor reads it with that. `costMs` is the time the job added
   * to its thread's work, which overlap makes less than its own time.
   */
  spend(index: number, costMs: number): void {
    this.#costMs[index] = costMs
  }

  /** Thread side, also before its outcome is laid down: when the handler ended. */
  runUntil(index: number, nowMs: number): void {
    this.#endedAtMs[index] = nowMs
  }

  /** Thread side, after its outcome is laid down: a thread that dies between the two must not have it run again. */
  end(index: number): void {
    Atomics.store(this.#states, index, jobStateWords.ENDED)
  }

  /** Thread side, before the thread ends: this job has called for it. */
  exit(index: number): void {
    Atomics.store(this.#exits, index, 1)
  }

  /** Whether this job ended its thread. */
  hasExited(index: number): boolean {
    return Atomics.load(this.#exits, index) !== 0
  }

  /** Supervisor side. True: the job is ours again and will not start. */
  takeBack(index: number): boolean {
    const before = Atomics.compareExchange(this.#states, index, jobStateWords.WAITING, jobStateWords.TAKEN)
    return before === jobStateWords.WAITING
  }

  isWaiting(index: number): boolean {
    return Atomics.load(this.#states, index) === jobStateWords.WAITING
  }

  /** Whether the handler has begun and not ended: who was running when a thread died. */
  isStarted(index: number): boolean {
    return Atomics.load(this.#states, index) === jobStateWords.STARTED
  }

  startedAtMs(index: number): number {
    return this.#startedAtMs[index] ?? 0
  }

  endedAtMs(index: number): number {
    return this.#endedAtMs[index] ?? 0
  }

  costMs(index: number): number {
    return this.#costMs[index] ?? 0
  }

  /** How many of its jobs have cost their thread something so far, and what. Not those taken back, nor programs. */
  spent(): { readonly jobs: number; readonly totalMs: number } {
    let jobs = 0
    let totalMs = 0
    for (const costMs of this.#costMs) {
      if (costMs === 0) continue
      jobs++
      totalMs += costMs
    }
    return { jobs, totalMs }
  }

  /** Asks the handler to give way; on the supervisor's side but for one that has failed. The first reason stays. */
  abort(index: number, reason: AbortReason): void {
    Atomics.compareExchange(this.#aborts, index, 0, abortReasons.indexOf(reason))
  }

  abortReason(index: number): AbortReason {
    return abortReasons[Atomics.load(this.#aborts, index)] ?? 'none'
  }

  isAborted(index: number): boolean {
    return Atomics.load(this.#aborts, index) !== 0
  }
}
