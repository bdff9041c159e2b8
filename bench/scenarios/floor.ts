import { inFolder, runPairs, type Scenario } from '../scenario.ts'
import { rateOf, runTrial } from '../trials.ts'

export const floor: Scenario = {
  summary: 'one thread writes jobs with the engine’s own schema, against a bare table of three columns',
  pairs: 7,
  async run(settings) {
    const { isSmoke, durability } = settings
    const jobs = isSmoke ? 2_000 : 300_000
    const measure = (trial: 'product-table' | 'bare-table') => () =>
      inFolder(settings, async (folder) => rateOf(await runTrial(trial, { folder, jobs, durability })))
    const series = await runPairs(
      settings,
      'jobs/s',
      { atLeast: 0.6 },
      measure('product-table'),
      measure('bare-table'),
    )
    return { series: { jobs_per_s: series }, parameters: { jobs } }
  },
}
