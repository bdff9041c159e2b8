import { inFolder, round, type Scenario } from '../scenario.ts'
import { runTrial } from '../trials.ts'

export const supersede: Scenario = {
  summary: '10,000 versions of 100 subjects at once, 20 ms each on two threads: how many of them never ran',
  pairs: 5,
  async run(settings) {
    const { isSmoke, durability, pairs, tell } = settings
    const parameters = {
      threads: 2,
      subjects: isSmoke ? 10 : 100,
      jobs: isSmoke ? 1_000 : 10_000,
      jobMs: 20,
    }
    const values: number[] = []
    const elapsed: number[] = []
    for (let pair = 1; pair <= pairs; pair++) {
      const { units, neverRan, elapsedMs } = await inFolder(settings, (folder) =>
        runTrial('engine-supersede', { ...parameters, folder, durability }),
      )
      values.push((neverRan / units) * 100)
      elapsed.push(round(elapsedMs))
      tell(`run ${pair} of ${pairs}: ${neverRan} of ${units} never ran, ${round(elapsedMs)} ms in all`)
    }
    return {
      // The latest version of each subject has to run: 99 % is all that can be had.
      series: { never_ran: { unit: '%', values, references: [], bar: { valueAtLeast: 98 } } },
      parameters: { ...parameters, elapsed_ms: elapsed },
    }
  },
}
