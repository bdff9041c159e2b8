import { inFolder, round, type Scenario, type Series } from '../scenario.ts'
import { runTrial } from '../trials.ts'

export const cancel: Scenario = {
  summary:
    'synchronous loops are cancelled: when does one see the flag, and when has one ended that does not look',
  pairs: 3,
  async run(settings) {
    const { isSmoke, durability, pairs, tell } = settings
    const parameters = { threads: 2, polling: isSmoke ? 5 : 300, deaf: isSmoke ? 1 : 20 }
    const saw: number[] = []
    const endedLate: number[] = []
    for (let pair = 1; pair <= pairs; pair++) {
      const measured = await inFolder(settings, (folder) =>
        runTrial('engine-cancel', { ...parameters, folder, durability }),
      )
      saw.push(percentile99(measured.sawMs))
      endedLate.push(Math.max(...measured.endedLateMs))
      tell(
        `run ${pair} of ${pairs}: p99 ${round(saw.at(-1) ?? 0)} ms to the flag, ` +
          `ended ${round(endedLate.at(-1) ?? 0)} ms after its grace at the latest`,
      )
    }
    return {
      series: {
        saw_flag_p99_ms: seriesOf(saw, 20),
        ended_after_grace_ms: seriesOf(endedLate, 250),
      },
      parameters,
    }
  },
}

function percentile99(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN
}

function seriesOf(values: readonly number[], valueAtMost: number): Series {
  return { unit: 'ms', values, references: [], bar: { valueAtMost } }
}
