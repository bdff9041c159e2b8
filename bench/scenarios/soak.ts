import { availableParallelism } from 'node:os'
import { inFolder, median, round, type Scenario } from '../scenario.ts'
import type { SoakMinute } from '../trials/engine-soak.ts'
import { runTrial } from '../trials.ts'

/** Minutes that the last ones are compared with: by then all is warm, and as much is deleted as comes. */
const earlyFrom = 5
const comparedMinutes = 5
/**
 * Node lets the young generation of a program's main thread double whenever as much has outlived a collection as it
 * holds: within an hour it reached 134 MB, with nothing leaked. Those of the engine's threads are bounded; the program
 * around it, here the bench, has to do so itself, as the README says.
 */
const hostOptions = ['--max-semi-space-size=16']

function eachMinute(runs: readonly (readonly SoakMinute[])[]) {
  const all = (read: (minute: SoakMinute) => number) => runs.map((run) => run.map(read).map(round))
  return {
    p50_ms: all(({ p50Ms }) => p50Ms),
    p99_ms: all(({ p99Ms }) => p99Ms),
    wal_mb: all(({ walMb }) => walMb),
    rss_mb: all(({ rssMb }) => rssMb),
    file_mb: all(({ fileMb }) => fileMb),
    done_jobs: all(({ doneJobs }) => doneJobs),
  }
}

export const soak: Scenario = {
  summary:
    'an hour of 5,000 jobs/s, kept for a minute, maintenance every minute: are the last minutes as the first',
  pairs: 1,
  async run(settings) {
    const { isSmoke, durability, pairs, tell } = settings
    const minutes = isSmoke ? 2 * comparedMinutes : 60
    const parameters = {
      durability,
      threads: availableParallelism(),
      jobsPerSecond: isSmoke ? 1_000 : 5_000,
      minuteMs: isSmoke ? 240 : 60_000,
      minutes,
      looks: isSmoke ? 3 : 60,
    }
    const runs: (readonly SoakMinute[])[] = []
    for (let run = 0; run < pairs; run++) {
      const { minutes: readings } = await inFolder(settings, (folder) =>
        runTrial('engine-soak', { ...parameters, folder }, { execArgv: hostOptions }),
      )
      runs.push(readings)
      tell(`run ${run + 1} of ${pairs}: ${readings.length} minutes`)
    }
    const from = isSmoke ? 0 : earlyFrom
    const compare = (unit: string, read: (minute: SoakMinute) => number, atMost: number) => ({
      unit,
      values: runs.map((run) => median(run.slice(-comparedMinutes).map(read))),
      references: runs.map((run) => median(run.slice(from, from + comparedMinutes).map(read))),
      bar: { atMost },
    })
    return {
      series: {
        acknowledged_p50_ms: compare('ms', ({ p50Ms }) => p50Ms, 1.05),
        acknowledged_p99_ms: compare('ms', ({ p99Ms }) => p99Ms, 1.05),
        wal_mb: compare('MB', ({ walMb }) => walMb, 1.05),
        rss_mb: compare('MB', ({ rssMb }) => rssMb, 1.1),
        handles: compare('', ({ handles }) => handles, 1),
      },
      parameters: {
        ...parameters,
        node_options: hostOptions,
        compared: `minutes ${from + 1} to ${from + comparedMinutes} with the last ${comparedMinutes}`,
        // What it was like in between: whether a figure grows, or only swings.
        ...eachMinute(runs),
      },
    }
  },
}
