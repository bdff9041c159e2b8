/**
 * The metrics as OpenTelemetry instruments, for whatever SDK the program has set up before the engine was started. They
 * are read when that collects. Without an SDK nobody ever asks, and nothing is done.
 */
import type { BatchObservableResult, Histogram, Observable } from '@opentelemetry/api'
import { nextTurn } from '../clock.ts'
import type { HistogramFacts } from './histogram.ts'
import { type Labels, type MetricFacts, metricCatalog, type Sample } from './metric-catalog.ts'

/** Values that are recorded in one turn of the event loop. */
const recordsPerTurn = 1_000

/**
 * @param database names this engine's values beside those of another engine in the process
 * @returns ends it
 */
export async function registerMeters(
  database: string,
  read: () => Promise<MetricFacts>,
): Promise<() => void> {
  const { metrics } = await import('@opentelemetry/api')
  const meter = metrics.getMeter('semantica-task-engine')
  const observed = new Map<string, Observable>()
  const replays = new Map<string, Replay>()
  for (const metric of metricCatalog) {
    const { name, unit, help: description } = metric
    const options = { unit, description }
    if (metric.kind === 'histogram') {
      const advice = { explicitBucketBoundaries: [...metric.bounds] }
      replays.set(name, new Replay(meter.createHistogram(name, { ...options, advice }), metric.bounds))
    } else if (metric.kind === 'gauge') {
      observed.set(name, meter.createObservableGauge(name, options))
    } else {
      observed.set(name, meter.createObservableCounter(name, options))
    }
  }
  const collect = async (result: BatchObservableResult): Promise<void> => {
    const facts = await read()
    for (const metric of metricCatalog) {
      if (metric.kind === 'histogram') {
        await replays.get(metric.name)?.record(withDatabase(metric.read(facts), database))
        continue
      }
      const instrument = observed.get(metric.name)
      if (instrument === undefined) continue
      for (const { labels, value } of withDatabase(metric.read(facts), database))
        result.observe(instrument, value, labels)
    }
  }
  const observables = [...observed.values()]
  meter.addBatchObservableCallback(collect, observables)
  return () => meter.removeBatchObservableCallback(collect, observables)
}

function withDatabase<Value>(samples: readonly Sample<Value>[], database: string): readonly Sample<Value>[] {
  return samples.map(({ labels, value }) => ({ labels: { ...labels, database }, value }))
}

/**
 * Gives a histogram the values that were counted since the last time. OpenTelemetry's interface has no way to hand over
 * counts, so each value is recorded by itself, as the mean of its bucket: counts and sums come out exact.
 */
class Replay {
  readonly #histogram: Histogram
  readonly #bounds: readonly number[]
  readonly #told = new Map<string, HistogramFacts>()

  constructor(histogram: Histogram, bounds: readonly number[]) {
    this.#histogram = histogram
    this.#bounds = bounds
  }

  async record(samples: readonly Sample<HistogramFacts>[]): Promise<void> {
    let left = recordsPerTurn
    for (const { labels, count, mean } of samples.flatMap((sample) => this.#news(sample))) {
      for (let recorded = 0; recorded < count; recorded++) {
        this.#histogram.record(mean, labels)
        if (--left > 0) continue
        await nextTurn()
        left = recordsPerTurn
      }
    }
  }

  /** Remembered before anything is recorded: another collection may come meanwhile, and tells the rest. */
  #news({ labels, value }: Sample<HistogramFacts>): { labels: Labels; count: number; mean: number }[] {
    const key = JSON.stringify(labels)
    const told = this.#told.get(key)
    this.#told.set(key, value)
    return [...value.counts].flatMap((counted, bucket) => {
      const count = counted - (told?.counts[bucket] ?? 0)
      if (count <= 0) return []
      const mean = ((value.sums[bucket] ?? 0) - (told?.sums[bucket] ?? 0)) / count
      return [{ labels, count, mean: this.#within(bucket, mean) }]
    })
  }

  /** Rounding must not carry a mean over the bound of its bucket. */
  #within(bucket: number, mean: number): number {
    const upper = this.#bounds[bucket] ?? Number.POSITIVE_INFINITY
    const lower = this.#bounds[bucket - 1]
    const least = lower === undefined ? 0 : lower * (1 + 2 * Number.EPSILON)
    return Math.min(Math.max(mean, least), upper)
  }
}
