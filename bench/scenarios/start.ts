import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from '../build.ts'
import { inFolder, round, type Scenario } from '../scenario.ts'
import { runTrial } from '../trials.ts'

export const start: Scenario = {
  summary:
    'a program that starts an engine: until its first job is done, against the first tasks of a bare Piscina',
  pairs: 15,
  async run(settings) {
    return inFolder(settings, async (output) => {
      const { isSmoke, durability, pairs, tell } = settings
      const threads = availableParallelism()
      // What users run is the build. The sources do to show that it works.
      const built = isSmoke ? undefined : await build(output)
      const entry = built === undefined ? undefined : join(built, 'bench/trial.js')
      const filename =
        built === undefined
          ? resolve(import.meta.dirname, '../piscina-hash-thread.ts')
          : join(built, 'bench/piscina-hash-thread.js')
      const firstJobMs: number[] = []
      const readyMs: number[] = []
      const stopMs: number[] = []
      const piscinaMs: number[] = []
      for (let pair = 1; pair <= pairs; pair++) {
        const engine = await inFolder(settings, (folder) =>
          runTrial('engine-start', { folder, durability, threads }, { entry }),
        )
        const piscina = await runTrial('piscina-start', { threads, filename }, { entry })
        firstJobMs.push(engine.elapsedMs)
        readyMs.push(engine.readyMs)
        stopMs.push(engine.stopMs)
        piscinaMs.push(piscina.elapsedMs)
        tell(
          `pair ${pair} of ${pairs}: first job after ${round(engine.elapsedMs)} ms, ready after ${round(engine.readyMs)} ms, ` +
            `stopped in ${round(engine.stopMs)} ms; a bare Piscina ${round(piscina.elapsedMs)} ms`,
        )
      }
      return {
        series: {
          first_job_ms: { unit: 'ms', values: firstJobMs, references: piscinaMs },
          ready_ms: { unit: 'ms', values: readyMs, references: [] },
          stop_ms: { unit: 'ms', values: stopMs, references: [] },
        },
        parameters: { threads },
      }
    })
  },
}
