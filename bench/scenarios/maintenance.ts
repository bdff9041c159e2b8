import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import {
  inFolder,
  round,
  type Scenario,
  type ScenarioResult,
  type ScenarioSettings,
  type Series,
} from '../scenario.ts'
import type {
  MaintenanceMeasurement,
  MaintenanceParameters,
  MeasuredWindow,
} from '../trials/engine-maintenance.ts'
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
      const runs = await measureRuns(settings, {
        template,
        durability,
        threads: availableParallelism(),
        warmUpMs: isSmoke ? 100 : 6_000,
        measureMs: isSmoke ? 200 : 15_000,
      })
      return {
        series: seriesOf(runs),
        parameters: { rows, past_retention: agedShare, ...parametersOf(runs) },
      }
    })
  },
}

/** One of each for every pair. */
interface Runs {
  readonly full: MaintenanceMeasurement[]
  readonly half: MaintenanceMeasurement[]
}

async function measureRuns(
  settings: ScenarioSettings,
  parameters: Omit<MaintenanceParameters, 'folder' | 'speed'>,
): Promise<Runs> {
  const runs: Runs = { full: [], half: [] }
  for (let pair = 1; pair <= settings.pairs; pair++) {
    for (const speed of ['full', 'half'] as const) {
      const run = await inFolder(settings, (folder) =>
        runTrial('engine-maintenance', { ...parameters, folder, speed }),
      )
      runs[speed].push(run)
      const { p999, longest } = run.acknowledgedMs
      settings.tell(
        `pair ${pair} of ${settings.pairs}, ${speed} speed: ${round(rateOf(run))} against ${round(rateOf(run.without))} jobs/s, ` +
          `p99.9 ${round(p999)} against ${round(run.without.acknowledgedMs.p999)} ms, longest ${round(longest)} ms, ` +
          `${round(run.fileBytes / 1e6)} MB against ${round(run.packedBytes / 1e6)} MB, in ${round(run.elapsedMs / 1_000)} s`,
      )
    }
  }
  return runs
}

function seriesOf({ full, half }: Runs): ScenarioResult['series'] {
  const rates = (runs: readonly MaintenanceMeasurement[], atLeast: number): Series => ({
    unit: 'jobs/s',
    values: runs.map(rateOf),
    references: runs.map(({ without }) => rateOf(without)),
    bar: { atLeast },
  })
  const waits = (read: (run: MeasuredWindow) => number, valueAtMost: number): Series => ({
    unit: 'ms',
    values: half.map(read),
    references: half.map(({ without }) => read(without)),
    bar: { valueAtMost },
  })
  return {
    jobs_per_s: rates(half, 0.95),
    acknowledged_p999_ms: waits(({ acknowledgedMs }) => acknowledgedMs.p999, 25),
    longest_wait_ms: waits(({ acknowledgedMs }) => acknowledgedMs.longest, 100),
    full_speed_jobs_per_s: rates(full, 0.8),
    file_mb: {
      unit: 'MB',
      values: half.map(({ fileBytes }) => fileBytes / 1e6),
      references: half.map(({ packedBytes }) => packedBytes / 1e6),
      bar: { atMost: 1.1 },
    },
  }
}

function parametersOf({ full, half }: Runs) {
  const seconds = (runs: readonly MaintenanceMeasurement[]) =>
    runs.map(({ elapsedMs }) => round(elapsedMs / 1_000))
  return { threads: availableParallelism(), run_s: seconds(half), full_speed_run_s: seconds(full) }
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
