/** The metrics in Prometheus' text format. The library is loaded with the first text. */
import type { Metric as PrometheusMetric } from 'prom-client'
import {
  type Labels,
  type Metric,
  type MetricFacts,
  metricCatalog,
  prometheusName,
} from './metric-catalog.ts'

export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8'

interface Line {
  /** Another name than the metric's, as for the parts of a histogram. */
  readonly metricName?: string
  readonly labels: Labels
  readonly value: number
}

export async function toPrometheusText(facts: MetricFacts): Promise<string> {
  const { Registry } = await import('prom-client')
  const registry = new Registry()
  for (const metric of metricCatalog) {
    const name = prometheusName(metric)
    const values = linesOf(metric, name, facts)
    const known = { name, help: metric.help, type: metric.kind, values }
    // The boundary: its own classes count for themselves, and all that is asked of a metric is its name and what `get`
    // gives. What is counted here stands in memory that another thread owns.
    registry.registerMetric({ name, get: async () => known } as unknown as PrometheusMetric)
  }
  return registry.metrics()
}

function linesOf(metric: Metric, name: string, facts: MetricFacts): readonly Line[] {
  if (metric.kind !== 'histogram') return metric.read(facts)
  return metric.read(facts).flatMap(({ labels, value }) => {
    const lines: Line[] = []
    let count = 0
    let sum = 0
    for (const [bucket, inBucket] of value.counts.entries()) {
      count += inBucket
      sum += value.sums[bucket] ?? 0
      const le = String(metric.bounds[bucket] ?? '+Inf')
      lines.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count })
    }
    lines.push({ metricName: `${name}_sum`, labels, value: sum })
    lines.push({ metricName: `${name}_count`, labels, value: count })
    return lines
  })
}
