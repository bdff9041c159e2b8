import { availableParallelism } from 'node:os'
import { calibrateRounds } from '../hash.ts'
import { inFolder, runPairs, type Scenario } from '../scenario.ts'
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
      warmUpJobs: (isSmoke ? 10 : 200) * threads,
      jobs: (isSmoke ? 50 : 1_500) * threads,
    }
    const series = await runPairs(
      settings,
      'jobs/s',
      { atLeast: 0.95 },
      () =>
        inFolder(settings, async (folder) =>
          rateOf(
            await runTrial('engine-hash', { ...parameters, folder, durability, groups: 4, groupJobs: 32 }),
          ),
        ),
      async () => rateOf(await runTrial('piscina-hash', parameters)),
    )
    return { series: { jobs_per_s: series }, parameters }
  },
}
