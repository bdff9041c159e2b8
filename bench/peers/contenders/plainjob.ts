import { setImmediate as turn } from 'node:timers/promises'
import { JobStatus, type Queue } from 'plainjob'
import type { Contender, OpenSettings, StoreCount } from '../harness/contender.ts'
import { Tally } from '../harness/tally.ts'
import { definePlainjobWorker, openPlainjobQueue } from './plainjob-queue.ts'

/** README, "Using node" and "Minimal Example": one queue and one worker in the process. */
export async function open({ folder, kind }: OpenSettings): Promise<Contender> {
  const queue = openPlainjobQueue(folder)
  const done = new Tally()
  const worker = definePlainjobWorker(queue, kind, () => done.add())
  let running: Promise<void> | undefined
  return {
    ...plainjobProducer(queue),
    async startWorkers() {
      running = worker.start()
    },
    completed: (jobs) => done.reached(jobs),
    async close() {
      await worker.stop()
      await running
      return closePlainjobQueue(queue)
    },
  }
}

/** Its calls are synchronous: without a turn after many jobs nothing else would ever have one. */
export function plainjobProducer(
  queue: Queue,
): Pick<Contender, 'bulk' | 'whileRunning' | 'enqueue' | 'enqueueMany'> {
  const bulk = { calls: 'bulk', jobs: 1_000, window: 1 } as const
  return {
    bulk,
    whileRunning: bulk,
    enqueue: async ({ kind, payload }) => queue.add(kind, payload),
    async enqueueMany(jobs) {
      const [{ kind } = { kind: 'NO_OP' }] = jobs
      queue.addMany(
        kind,
        jobs.map(({ payload }) => payload),
      )
      await turn()
    },
  }
}

export function closePlainjobQueue(queue: Queue): StoreCount {
  const all = queue.countJobs()
  const completed = queue.countJobs({ status: JobStatus.Done })
  queue.close()
  return { open: all - completed, completed }
}
