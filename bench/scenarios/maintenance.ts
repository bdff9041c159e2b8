import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { inFolder, round, type Scenario, type ScenarioSettings } from '../scenario.ts'
import type { MaintenanceMeasurement, MaintenanceParameters } from '../trials/engine-maintenance.ts'
import { rateOf, runTrial } from '../trials.ts'

/** Rows that one process lays down. */
const rowsAtOnce = 1_000_000
/** Of the rows, those that are past their retention. */
const agedShare = 0.85

export const maintenance: Scenario = {
  summary: 'a database of 1.2 GB, 85 % of it past retention, is pruned and compacted while jobs run',
  pairs: 3,
  async run(settings) {
    return inFolder(settings, async (folder) => {
      const { isSmoke, durability } = settings
      const rows = isSmoke ? 20_000 : 10_000_000
      const template = join(folder, 'template.db')
      await fill(settings, template, rows)
      const common = {
        template,
        durability,
        threads: availableParallelism(),
        warmUpMs: isSmoke ? 100 : 6_000,
      }
      const runs = await measureRuns(settings, common, isSmoke ? 200 : 15_000)
      const paced = runs.paced.map(({ acknowledgedMs }) => acknowledgedMs)
      const pacedWithout = runs.pacedWithout.map(({ acknowledgedMs }) => acknowledgedMs)
      const ms = (bound: number) => ({ unit: 'ms', bar: { valueAtMost: bound } })
      return {
        series: {
          jobs_per_s: {
            unit: 'jobs/s',
            values: runs.paced.map(rateOf),
            references: runs.pacedWithout.map(rateOf),
            bar: { atLeast: 0.95 },
          },
          acknowledged_p999_ms: {
            ...ms(25),
            values: paced.map(({ p999 }) => p999),
            references: pacedWithout.map(({ p999 }) => p999),
          },
          longest_wait_ms: {
            ...ms(100),
            values: paced.map(({ longest }) => longest),
            references: pacedWithout.map(({ longest }) => longest),
          },
          full_speed_jobs_per_s: {
            unit: 'jobs/s',
            values: runs.closed.map(rateOf),
            references: runs.closedWithout.map(rateOf),
            bar: { atLeast: 0.8 },
          },
          file_mb: {
            unit: 'MB',
            values: runs.paced.map(({ fileBytes }) => fileBytes / 1e6),
            references: runs.paced.map(({ packedBytes }) => packedBytes / 1e6),
            bar: { atMost: 1.1 },
          },
        },
        parameters: {
          rows,
          past_retention: agedShare,
          threads: common.threads,
          run_s: runs.paced.map(({ elapsedMs }) => round(elapsedMs / 1_000)),
          full_speed_run_s: runs.closed.map(({ elapsedMs }) => round(elapsedMs / 1_000)),
        },
      }
    })
  },
}

async function fill({ tell }: ScenarioSettings, path: string, rows: number): Promise<void> {
  const aged = Math.round(rows * agedShare)
  for (let done = 0; done < rows; ) {
    const kind = done < aged ? 'finished' : 'recent'
    const add = { kind, rows: Math.min(rowsAtOnce, (done < aged ? aged : rows) - done) } as const
    await runTrial('backlog-rows', { path, sizes: { finished: done, queued: 0 }, add })
    done += add.rows
    tell(`${done.toLocaleString('en')} of ${rows.toLocaleString('en')} jobs are there`)
  }
}

/** One of each for every pair. */
interface Runs {
  readonly closedWithout: MaintenanceMeasurement[]
  readonly closed: MaintenanceMeasurement[]
  readonly pacedWithout: MaintenanceMeasurement[]
  readonly paced: MaintenanceMeasurement[]
}

async function measureRuns(
  settings: ScenarioSettings,
  common: Omit<MaintenanceParameters, 'folder' | 'jobsPerSecond' | 'measureMs'>,
  measureMs: number,
): Promise<Runs> {
  const runs: Runs = { closedWithout: [], closed: [], pacedWithout: [], paced: [] }
  const measure = (jobsPerSecond: number | undefined, forMs: number | undefined) =>
    inFolder(settings, (folder) =>
      runTrial('engine-maintenance', { ...common, folder, jobsPerSecond, measureMs: forMs }),
    )
  for (let pair = 1; pair <= settings.pairs; pair++) {
    const closedWithout = await measure(undefined, measureMs)
    const closed = await measure(undefined, undefined)
    const half = rateOf(closedWithout) / 2
    const pacedWithout = await measure(half, measureMs)
    const paced = await measure(half, undefined)
    runs.closedWithout.push(closedWithout)
    runs.closed.push(closed)
    runs.pacedWithout.push(pacedWithout)
    runs.paced.push(paced)
    const { p999, longest } = paced.acknowledgedMs
    settings.tell(
      `pair ${pair} of ${settings.pairs}: full speed ${round(rateOf(closed))} against ${round(rateOf(closedWithout))} jobs/s, ` +
        `paced ${round(rateOf(paced))} against ${round(rateOf(pacedWithout))} jobs/s, p99.9 ${round(p999)} ms, ` +
        `longest ${round(longest)} ms, ${round(paced.fileBytes / 1e6)} MB against ${round(paced.packedBytes / 1e6)} MB, ` +
        `in ${round(paced.elapsedMs / 1_000)} s`,
    )
  }
  return runs
}
