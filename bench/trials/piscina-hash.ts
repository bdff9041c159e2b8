import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { systemClock } from '../../src/clock.ts'
import { hashFor } from '../hash.ts'
import type { Measurement } from '../trials.ts'

export interface PiscinaHashParameters {
  readonly threads: number
  readonly warmUpJobs: number
  readonly jobs: number
  readonly rounds: number
}

/**
 * The same function on the same number of threads, run by Piscina alone: nothing is stored, and nothing survives. All
 * its tasks wait in its own queue, so no thread ever waits for the producer.
 *
 * @throws when a result is not the expected one
 */
export async function run(parameters: PiscinaHashParameters): Promise<Measurement> {
  const { threads, warmUpJobs, jobs, rounds } = parameters
  const pool = new Piscina<number, string>({
    filename: fileURLToPath(new URL('../piscina-hash-thread.ts', import.meta.url)),
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 2,
  })
  const expected = hashFor(rounds)
  const runAll = async (count: number): Promise<void> => {
    const digests = await Promise.all(Array.from({ length: count }, () => pool.run(rounds)))
    if (digests.some((digest) => digest !== expected)) throw new Error('A task gave another digest')
  }
  await runAll(warmUpJobs)
  const startMs = systemClock.monotonicMs()
  await runAll(jobs)
  const elapsedMs = systemClock.monotonicMs() - startMs
  await pool.destroy()
  return { units: jobs, elapsedMs }
}
