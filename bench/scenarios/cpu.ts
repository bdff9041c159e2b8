import { availableParallelism } from 'node:os'
import { calibrateRounds } from '../hash.ts'
import { inFolder, runPairs, type Scenario, stallSeries } from '../scenario.ts'
import { rateOf, runTrial } from '../trials.ts'

const jobMs = 2

export const cpu: Scenario = {
  summary: '2 ms of hashing a job on every core, against Piscina alone over the same function',
  pairs: 7,
  async run(settings) {
    const { isSmoke, durability } = settings
    const threads = availableParallelism()
    const parameters = {
      threads,
      rounds: calibrateRounds(jobMs),
      warmUpJobs: (isSmoke ? 10 : 500) * threads,
      jobs: (isSmoke ? 50 : 3_000) * threads,
    }
    const stallsMs: number[] = []
    const series = await runPairs(
      settings,
      'jobs/s',
      { atLeast: 0.98 },
      async () => {
        const measured = await inFolder(settings, (folder) =>
          runTrial('engine-hash', { ...parameters, folder, durability, groups: 4, groupJobs: 32 }),
        )
        stallsMs.push(measured.longestStallMs)
        return rateOf(measured)
      },
      async () => rateOf(await runTrial('piscina-hash', parameters)),
    )
    return { series: { jobs_per_s: series, longest_stall_ms: stallSeries(stallsMs) }, parameters }
  },
}
