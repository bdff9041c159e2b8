/**
 * What is measured of jobs and commits while metrics are on. It stays in this thread until somebody asks: nothing is
 * sent for a job.
 */
import type { Clock } from '../clock.ts'
import type { MeasuredFacts } from '../telemetry/facts.ts'
import { durationBounds, Histogram, type HistogramFacts, sizeBounds } from '../telemetry/histogram.ts'
import type { DispatchedBatch } from './batch.ts'
import type { Claim } from './claims.ts'
import { LoopDelay } from './loop-delay.ts'

/** Of one job type, in seconds. */
interface Times {
  readonly waits: Histogram
  readonly runs: Histogram
}

export class Metering {
  readonly #clock: Clock
  readonly #loopDelay: LoopDelay
  readonly #times = new Map<string, Times>()
  #last: { readonly jobType: string; readonly times: Times } | undefined
  readonly #commitSeconds = new Histogram(durationBounds)
  readonly #commitChanges = new Histogram(sizeBounds)
  #beganMs = 0
  #transitions = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#loopDelay = new LoopDelay(clock)
  }

  /** A transaction begins. */
  beginCommit(): void {
    this.#beganMs = this.#clock.monotonicMs()
  }

  /** It is committed. @param transitions changes of state in all commits so far */
  endCommit(transitions: number): void {
    const changes = transitions - this.#transitions
    this.#transitions = transitions
    // One that changed no job only ordered a question among the others.
    if (changes === 0) return
    this.#commitSeconds.observe((this.#clock.monotonicMs() - this.#beganMs) / 1_000)
    this.#commitChanges.observe(changes)
  }

  /** These attempts have ended, and it is recorded. The wait is that from the enqueue to the first attempt. */
  ended(batch: DispatchedBatch, claims: readonly Claim[]): void {
    const { control } = batch
    const offsetMs = this.#offsetMs()
    for (const claim of claims)
      this.#observe(claim, control.startedAtMs(claim.index), control.endedAtMs(claim.index), offsetMs)
  }

  /** The same for one that ended with its thread. */
  endedWithThread({ control }: DispatchedBatch, claim: Claim): void {
    this.#observe(claim, control.startedAtMs(claim.index), this.#clock.monotonicMs(), this.#offsetMs())
  }

  #observe(claim: Claim, startedAtMs: number, endedAtMs: number, offsetMs: number): void {
    // The thread had no handler for it, or it was a program that never had its turn.
    if (endedAtMs === 0 || !Number.isFinite(startedAtMs)) return
    const { attempt, createdAt, jobType } = claim
    const times = this.#timesOf(jobType.name)
    times.runs.observe((endedAtMs - startedAtMs) / 1_000)
    if (attempt === 1) times.waits.observe((startedAtMs + offsetMs - createdAt) / 1_000)
  }

  /** From monotonic to wall time. */
  #offsetMs(): number {
    return this.#clock.wallMs() - this.#clock.monotonicMs()
  }

  facts(): MeasuredFacts {
    const read = (which: keyof Times): Record<string, HistogramFacts> =>
      Object.fromEntries([...this.#times].map(([jobType, times]) => [jobType, times[which].facts()]))
    return {
      waits: read('waits'),
      runs: read('runs'),
      commitSeconds: this.#commitSeconds.facts(),
      commitChanges: this.#commitChanges.facts(),
      loopDelay: this.#loopDelay.read(),
    }
  }

  stop(): void {
    this.#loopDelay.stop()
  }

  #timesOf(jobType: string): Times {
    // Neighbours are nearly always of one type.
    if (this.#last?.jobType === jobType) return this.#last.times
    let times = this.#times.get(jobType)
    if (times === undefined) {
      times = { waits: new Histogram(durationBounds), runs: new Histogram(durationBounds) }
      this.#times.set(jobType, times)
    }
    this.#last = { jobType, times }
    return times
  }
}
