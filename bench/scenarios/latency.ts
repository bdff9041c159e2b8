import { availableParallelism } from 'node:os'
import { inFolder, round, type Scenario, type Series } from '../scenario.ts'
import type { LatencyMeasurement, Percentiles } from '../trials/engine-latency.ts'
import { runTrial } from '../trials.ts'

const jobsPerSecond = 1_000

export const latency: Scenario = {
  summary: '1,000 jobs a second at an even pace: how late each is acknowledged, and its handler begun',
  pairs: 5,
  async run(settings) {
    const { isSmoke, durability, pairs, tell } = settings
    const parameters = {
      threads: availableParallelism(),
      jobsPerSecond,
      warmUpJobs: (isSmoke ? 0.2 : 2) * jobsPerSecond,
      jobs: (isSmoke ? 0.5 : 10) * jobsPerSecond,
    }
    const runs: LatencyMeasurement[] = []
    for (let pair = 1; pair <= pairs; pair++) {
      const measured = await inFolder(settings, (folder) =>
        runTrial('engine-latency', { ...parameters, folder, durability }),
      )
      runs.push(measured)
      const { acknowledgedMs, startedMs } = measured
      tell(
        `run ${pair} of ${pairs}: p99 ${round(acknowledgedMs.p99)} ms to acknowledged, ${round(startedMs.p99)} ms to started`,
      )
    }
    const acknowledged = runs.map(({ acknowledgedMs }) => acknowledgedMs)
    const started = runs.map(({ startedMs }) => startedMs)
    return {
      series: {
        acknowledged_p50_ms: seriesOf(acknowledged, 'p50'),
        acknowledged_p99_ms: { ...seriesOf(acknowledged, 'p99'), bar: { valueAtMost: 5 } },
        acknowledged_p999_ms: seriesOf(acknowledged, 'p999'),
        started_p50_ms: seriesOf(started, 'p50'),
        started_p99_ms: { ...seriesOf(started, 'p99'), bar: { valueAtMost: 10 } },
        started_p999_ms: seriesOf(started, 'p999'),
      },
      parameters: { ...parameters, produced_ms: runs.map(({ producedMs }) => producedMs) },
    }
  },
}

function seriesOf(runs: readonly Percentiles[], percentile: keyof Percentiles): Series {
  return { unit: 'ms', values: runs.map((run) => run[percentile]), references: [] }
}
