import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { systemClock } from '../../src/clock.ts'
import type { Measurement } from '../trials.ts'

export interface ParseOnlyParameters {
  readonly root: string
  readonly paths: readonly string[]
  readonly bytes: number
  readonly threads: number
}

/** What each thread is given. `next` counts the files that are taken, so that all threads end together. */
export interface ParseThreadData {
  readonly root: string
  readonly paths: readonly string[]
  readonly next: Int32Array<SharedArrayBuffer>
}

/**
 * The same extraction over the same files on bare threads: they read and parse, and keep nothing. From before the
 * threads start until the last has ended, since an index run has to start its threads too.
 */
export async function run({ root, paths, bytes, threads }: ParseOnlyParameters): Promise<Measurement> {
  const next = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const workerData: ParseThreadData = { root, paths, next }
  const startMs = systemClock.monotonicMs()
  const symbols = await Promise.all(
    Array.from({ length: threads }, async () => {
      const thread = new Worker(new URL('../parse-thread.ts', import.meta.url), { workerData })
      const ended = once(thread, 'exit')
      const [found] = await once(thread, 'message')
      await ended
      return Number(found)
    }),
  )
  const elapsedMs = systemClock.monotonicMs() - startMs
  return { units: bytes, elapsedMs, symbols: symbols.reduce((sum, found) => sum + found, 0) }
}
