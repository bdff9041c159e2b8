import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { BacklogSizes } from '../backlog.ts'
import { build } from '../build.ts'
import { inFolder, round, type Scenario, type ScenarioSettings } from '../scenario.ts'
import { runTrial } from '../trials.ts'

/** Rows that one process lays down. */
const rowsAtOnce = 1_000_000

export const backlog: Scenario = {
  summary:
    'ten million finished jobs and a million queued: cost of a claim against an empty table, first job, memory',
  pairs: 7,
  async run(settings) {
    return inFolder(settings, async (folder) => {
      const { isSmoke, durability } = settings
      const sizes = isSmoke
        ? { finished: 20_000, queued: 2_000 }
        : { finished: 10_000_000, queued: 1_000_000 }
      const claims = {
        durability,
        warmUpJobs: isSmoke ? 500 : 20_000,
        jobs: isSmoke ? 1_000 : 50_000,
        claimJobs: 500,
      }
      const work = { durability, threads: availableParallelism(), jobs: isSmoke ? 500 : 150_000 }
      const path = join(folder, 'jobs.db')
      await fill(settings, path, sizes)
      const runs = await measureRuns(
        settings,
        path,
        sizes,
        claims,
        work,
        isSmoke ? undefined : await build(folder),
      )
      return {
        series: {
          claim_cost: {
            unit: 'µs/job',
            values: runs.claimUs,
            references: runs.emptyClaimUs,
            bar: { atMost: 1.25 },
          },
          first_job_ms: { unit: 'ms', values: runs.firstJobMs, references: [], bar: { valueAtMost: 500 } },
          rss_mb: { unit: 'MB', values: runs.rssMb, references: [], bar: { valueAtMost: 200 } },
        },
        parameters: {
          ...sizes,
          ...claims,
          threads: work.threads,
          worked_off: work.jobs,
          worked_off_per_s: runs.workedOffPerSecond,
        },
      }
    })
  },
}

/** One of each for every pair. */
interface Runs {
  readonly claimUs: number[]
  readonly emptyClaimUs: number[]
  readonly firstJobMs: number[]
  readonly rssMb: number[]
  readonly workedOffPerSecond: number[]
}

interface ClaimParameters {
  readonly durability: ScenarioSettings['durability']
  readonly warmUpJobs: number
  readonly jobs: number
  readonly claimJobs: number
}

interface WorkParameters {
  readonly durability: ScenarioSettings['durability']
  readonly threads: number
  readonly jobs: number
}

async function fill(
  { tell }: ScenarioSettings,
  path: string,
  { finished, queued }: BacklogSizes,
): Promise<void> {
  for (let done = 0; done < finished; done += rowsAtOnce) {
    const add = { kind: 'finished', rows: Math.min(rowsAtOnce, finished - done) } as const
    await runTrial('backlog-rows', { path, sizes: { finished: done, queued: 0 }, add })
    tell(
      `${(done + add.rows).toLocaleString('en')} of ${finished.toLocaleString('en')} finished jobs are there`,
    )
  }
  const add = { kind: 'queued', rows: queued } as const
  await runTrial('backlog-rows', { path, sizes: { finished, queued: 0 }, add })
}

async function measureRuns(
  settings: ScenarioSettings,
  path: string,
  sizes: BacklogSizes,
  claims: ClaimParameters,
  work: WorkParameters,
  built: string | undefined,
): Promise<Runs> {
  const runs: Runs = { claimUs: [], emptyClaimUs: [], firstJobMs: [], rssMb: [], workedOffPerSecond: [] }
  const entry = built === undefined ? undefined : join(built, 'bench/trial.js')
  for (let pair = 1; pair <= settings.pairs; pair++) {
    const worked = await runTrial('engine-backlog', { ...work, path, finished: sizes.finished }, { entry })
    await runTrial('backlog-rows', { path, sizes })
    const claimed = await runTrial('claim-backlog', { ...claims, path })
    await runTrial('backlog-rows', { path, sizes })
    const empty = await claimEmpty(settings, claims)
    runs.firstJobMs.push(worked.firstJobMs)
    runs.rssMb.push(worked.rssMb)
    runs.workedOffPerSecond.push(round((worked.units / worked.elapsedMs) * 1_000))
    runs.claimUs.push((claimed.elapsedMs / claimed.units) * 1_000)
    runs.emptyClaimUs.push((empty.elapsedMs / empty.units) * 1_000)
    settings.tell(
      `pair ${pair} of ${settings.pairs}: first job after ${round(worked.firstJobMs)} ms, ${round(worked.rssMb)} MB, ` +
        `a claim ${round(runs.claimUs.at(-1) ?? 0)} against ${round(runs.emptyClaimUs.at(-1) ?? 0)} µs`,
    )
  }
  return runs
}

/** On a table that holds nothing but the jobs that are claimed. */
function claimEmpty(settings: ScenarioSettings, claims: ClaimParameters) {
  return inFolder(settings, async (folder) => {
    const path = join(folder, 'jobs.db')
    const rows = claims.warmUpJobs + claims.jobs
    await runTrial('backlog-rows', {
      path,
      sizes: { finished: 0, queued: 0 },
      add: { kind: 'queued', rows },
    })
    return runTrial('claim-backlog', { ...claims, path })
  })
}
