import { join } from 'node:path'
import { taggedShare } from '../backlog.ts'
import { inFolder, round, type Scenario } from '../scenario.ts'
import { runTrial } from '../trials.ts'

export const cancelMany: Scenario = {
  summary: '350,000 of three million queued jobs are cancelled by their tag while 1,000 a second come in',
  pairs: 3,
  async run(settings) {
    const { isSmoke, durability, pairs, tell } = settings
    const queued = isSmoke ? 3_000 : 3_000_000
    const load = {
      threads: 2,
      jobsPerSecond: 1_000,
      leadMs: isSmoke ? 50 : 2_000,
      paceMs: isSmoke ? 200 : 12_000,
    }
    const elapsedS: number[] = []
    const p99Ms: number[] = []
    const maxMs: number[] = []
    for (let pair = 1; pair <= pairs; pair++) {
      const measured = await inFolder(settings, async (folder) => {
        const path = join(folder, 'jobs.db')
        const add = { kind: 'tagged', rows: queued } as const
        await runTrial('backlog-rows', { path, sizes: { finished: 0, queued: 0 }, add })
        return runTrial('engine-cancel-many', { ...load, path, durability })
      })
      elapsedS.push(measured.elapsedMs / 1_000)
      p99Ms.push(measured.acknowledgedP99Ms)
      maxMs.push(measured.acknowledgedMaxMs)
      tell(
        `run ${pair} of ${pairs}: ${measured.units.toLocaleString('en')} in ${round(measured.elapsedMs / 1_000)} s, ` +
          `p99 ${round(measured.acknowledgedP99Ms)} ms to acknowledged, ${round(measured.acknowledgedMaxMs)} ms at the latest`,
      )
    }
    return {
      series: {
        cancelled_in_s: { unit: 's', values: elapsedS, references: [], bar: { valueAtMost: 10 } },
        acknowledged_p99_ms: { unit: 'ms', values: p99Ms, references: [], bar: { valueAtMost: 25 } },
        acknowledged_max_ms: { unit: 'ms', values: maxMs, references: [] },
      },
      parameters: { ...load, queued, tagged: (queued / taggedShare.of) * taggedShare.tagged },
    }
  },
}
