import { inFolder, round, type Scenario, type ScenarioSettings, type Series } from '../scenario.ts'
import { runTrial } from '../trials.ts'

const threads = 2
const shortMs = 1
/** The places of the slow job are spread over the burst by this, which divides none of its sizes. */
const stride = 37

export const burst: Scenario = {
  summary:
    'one job of 2 s among many of 1 ms on two threads: when are the others done, against one thread alone',
  pairs: 9,
  async run(settings) {
    const slowMs = settings.isSmoke ? 1_500 : 2_000
    const parameters = { threads, shortMs, slowMs }
    return {
      series: {
        others_of_100_ms: await measure(settings, { ...parameters, jobs: settings.isSmoke ? 20 : 100 }, 2.5),
        others_of_1000_ms: await measure(
          settings,
          { ...parameters, jobs: settings.isSmoke ? 40 : 1_000 },
          1.25,
        ),
      },
      parameters,
    }
  },
}

/** The reference is computed, not run: a job's time is its own, whatever the machine. */
async function measure(
  settings: ScenarioSettings,
  parameters: {
    readonly threads: number
    readonly shortMs: number
    readonly slowMs: number
    readonly jobs: number
  },
  atMost: number,
): Promise<Series> {
  const { pairs, durability, tell } = settings
  const { jobs } = parameters
  const idealMs = (jobs - 1) * shortMs
  const values: number[] = []
  for (let pair = 1; pair <= pairs; pair++) {
    const slowAt = ((pair - 1) * stride) % jobs
    const { elapsedMs } = await inFolder(settings, (folder) =>
      runTrial('engine-burst', { ...parameters, folder, durability, slowAt }),
    )
    values.push(elapsedMs)
    tell(`run ${pair} of ${pairs}: the others of ${jobs} jobs took ${round(elapsedMs)} ms`)
  }
  return { unit: 'ms', values, references: values.map(() => idealMs), bar: { atMost } }
}
