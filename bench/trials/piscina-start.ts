import { systemClock } from '../../src/clock.ts'
import type { Measurement } from '../trials.ts'

export interface PiscinaStartParameters {
  readonly threads: number
  /** What its threads load. */
  readonly filename: string
}

/** From before Piscina is loaded until the first task is done that each of its threads has been given. */
export async function run({ threads, filename }: PiscinaStartParameters): Promise<Measurement> {
  const startMs = systemClock.monotonicMs()
  const { Piscina } = await import('piscina')
  const pool = new Piscina<number, string>({
    filename,
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 1,
  })
  await Promise.all(Array.from({ length: threads }, () => pool.run(1)))
  const elapsedMs = systemClock.monotonicMs() - startMs
  await pool.destroy()
  return { units: 1, elapsedMs }
}
