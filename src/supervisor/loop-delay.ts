import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Clock } from '../clock.ts'
import type { LoopDelayFacts } from '../telemetry/facts.ts'

/** How often the loop is looked at. The histogram holds the whole time between two looks, this much included. */
const resolutionMs = 20
/** What is told covers so much at least, so that several who ask within it are told the same. */
const windowMs = 10_000

/** How late the event loop of this thread is, over the last seconds. Wakes the thread fifty times a second. */
export class LoopDelay {
  readonly #clock: Clock
  readonly #histogram: ReturnType<typeof monitorEventLoopDelay>
  #sinceMs: number
  #last: LoopDelayFacts | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#histogram = monitorEventLoopDelay({ resolution: resolutionMs })
    this.#histogram.enable()
    this.#sinceMs = clock.monotonicMs()
  }

  read(): LoopDelayFacts {
    const nowMs = this.#clock.monotonicMs()
    if (this.#last !== undefined && nowMs - this.#sinceMs < windowMs) return this.#last
    const histogram = this.#histogram
    const facts = {
      median: delaySeconds(histogram.percentile(50)),
      p99: delaySeconds(histogram.percentile(99)),
      maximum: histogram.count === 0 ? 0 : delaySeconds(histogram.max),
    }
    // The first window begins with the thread: who asks early is told of what there is, and it is not yet thrown away.
    if (nowMs - this.#sinceMs < windowMs) return facts
    histogram.reset()
    this.#sinceMs = nowMs
    this.#last = facts
    return facts
  }

  stop(): void {
    this.#histogram.disable()
  }
}

function delaySeconds(nanoseconds: number): number {
  return Math.max(nanoseconds / 1e6 - resolutionMs, 0) / 1_000
}
