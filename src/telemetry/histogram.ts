/** How often values fell between fixed bounds. Cheap to add to and to send: two arrays of numbers. */

/** Upper bounds of waits and run times, in seconds; what takes longer falls behind the last. */
export const durationBounds: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
  300, 1_800, 3_600,
]

/** Upper bounds of how many changes of state one commit holds. */
export const sizeBounds: readonly number[] = [
  1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000,
]

/** One more than there are bounds: the last one is for what lies above them all. */
export interface HistogramFacts {
  readonly counts: Float64Array
  /** What the values in each bucket come to: with these a reader can rebuild count and sum exactly. */
  readonly sums: Float64Array
}

export class Histogram implements HistogramFacts {
  readonly counts: Float64Array
  readonly sums: Float64Array
  readonly #bounds: readonly number[]

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
    this.sums = new Float64Array(bounds.length + 1)
  }

  /** Less than nothing, as after a clock was put back, counts as nothing. */
  observe(value: number): void {
    const known = value > 0 ? value : 0
    let bucket = 0
    while (known > (this.#bounds[bucket] ?? Number.POSITIVE_INFINITY)) bucket++
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.sums[bucket] = (this.sums[bucket] ?? 0) + known
  }

  /** For another thread, or for later: a copy. */
  facts(): HistogramFacts {
    return { counts: this.counts.slice(), sums: this.sums.slice() }
  }
}
