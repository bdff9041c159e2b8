import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import type { Contender, OpenSettings, PeerJob } from '../harness/contender.ts'

/**
 * The pool alone, as a reference: nothing is stored, so that a task counts as completed when its promise resolves. A
 * task runs as soon as it is given.
 */
export async function open({ cores }: OpenSettings): Promise<Contender> {
  const pool = new Piscina<PeerJob, void>({
    filename: fileURLToPath(new URL('./piscina-thread.ts', import.meta.url)),
    minThreads: cores,
    maxThreads: cores,
    concurrentTasksPerWorker: 2,
  })
  let completed = 0
  const run = async (job: PeerJob): Promise<void> => {
    await pool.run(job)
    completed++
  }
  return {
    bulk: { calls: 'bulk', jobs: 1_000, window: 2 },
    whileRunning: { calls: 'single', window: 2_000 },
    enqueue: run,
    enqueueMany: (jobs) => Promise.all(jobs.map(run)),
    async startWorkers() {},
    async completed() {},
    async close() {
      await pool.destroy()
      return { open: 0, completed }
    },
  }
}
