import { inFolder, round, runPairs, type Scenario } from '../scenario.ts'
import { rateOf, runTrial } from '../trials.ts'

export const enqueue: Scenario = {
  summary: 'jobs acknowledged one by one on the host thread, against the inserts of the floor',
  pairs: 7,
  async run(settings) {
    const { isSmoke, durability } = settings
    const jobs = isSmoke ? 2_000 : 300_000
    const parameters = { jobs, warmUpJobs: isSmoke ? 1_000 : 50_000, groups: 4, groupJobs: 500 }
    const measureInserts = (state: 'RUNNING' | 'QUEUED') =>
      inFolder(settings, async (folder) =>
        rateOf(await runTrial('product-inserts', { folder, jobs, durability, state })),
      )
    const queuedInserts: number[] = []
    const series = await runPairs(
      settings,
      'jobs/s',
      { atLeast: 0.8 },
      () =>
        inFolder(settings, async (folder) =>
          rateOf(await runTrial('engine-enqueue', { ...parameters, folder, durability })),
        ),
      async () => {
        // What the engine really writes here, as there is no free thread: more than the reference does.
        queuedInserts.push(await measureInserts('QUEUED'))
        return measureInserts('RUNNING')
      },
    )
    return {
      series: { acknowledged_per_s: series },
      parameters: { ...parameters, queued_inserts_per_s: queuedInserts.map(round) },
    }
  },
}
