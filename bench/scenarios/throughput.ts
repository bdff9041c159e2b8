import { availableParallelism } from 'node:os'
import { inFolder, runPairs, type Scenario, stallSeries } from '../scenario.ts'
import { rateOf, runTrial } from '../trials.ts'

export const throughput: Scenario = {
  summary: 'jobs that do nothing, from the host thread to settled, against the floor',
  pairs: 7,
  async run(settings) {
    const { isSmoke, durability } = settings
    const parameters = {
      threads: availableParallelism(),
      warmUpJobs: isSmoke ? 1_000 : 50_000,
      jobs: isSmoke ? 3_000 : 300_000,
      // What one message carries at most, and as many messages as the supervisor can have in the works.
      groups: 4,
      groupJobs: 500,
    }
    const stallsMs: number[] = []
    const series = await runPairs(
      settings,
      'jobs/s',
      { atLeast: 0.75 },
      async () => {
        const measured = await inFolder(settings, (folder) =>
          runTrial('engine-no-op', { ...parameters, folder, durability }),
        )
        stallsMs.push(measured.longestStallMs)
        return rateOf(measured)
      },
      () =>
        inFolder(settings, async (folder) =>
          rateOf(await runTrial('product-table', { folder, jobs: parameters.jobs, durability })),
        ),
    )
    return { series: { jobs_per_s: series, longest_stall_ms: stallSeries(stallsMs) }, parameters }
  },
}
