import { type Processor, Queue, Worker } from 'bullmq'
import type { Contender, OpenSettings, PeerPayload } from '../harness/contender.ts'
import { handlers } from '../harness/handlers.ts'
import { Tally } from '../harness/tally.ts'

/**
 * https://docs.bullmq.io/guide/workers/concurrency: a worker takes as many jobs at a time as `concurrency` says.
 * https://docs.bullmq.io/guide/queues/adding-bulks: `addBulk`. 50 jobs at a time, its example, was as
 * fast as 100 and faster than 300. A finished job is kept, as by default; removing it was no faster.
 */
export async function open(settings: OpenSettings): Promise<Contender> {
  const { kind } = settings
  return openBullmq(settings, (job) => Promise.resolve(handlers[kind](job.data)), {
    concurrency: 50,
    useWorkerThreads: false,
  })
}

export async function openBullmq(
  { port, kind }: OpenSettings,
  processor: Processor<PeerPayload> | URL,
  { concurrency, useWorkerThreads }: { readonly concurrency: number; readonly useWorkerThreads: boolean },
): Promise<Contender> {
  const connection = { host: '127.0.0.1', port: port ?? 0 }
  const queue = new Queue<PeerPayload>('bench', { connection })
  await queue.waitUntilReady()
  // Without autorun it stands by: nothing runs before the work says so.
  const worker = new Worker<PeerPayload>('bench', processor, {
    connection: { ...connection, maxRetriesPerRequest: null },
    autorun: false,
    concurrency,
    useWorkerThreads,
  })
  await worker.waitUntilReady()
  const done = new Tally()
  worker.on('completed', () => done.add())
  worker.on('failed', (_job, error) => console.error(error))
  worker.on('error', (error) => console.error(error))
  let running: Promise<void> | undefined
  return {
    bulk: { calls: 'bulk', jobs: 1_000, window: 2 },
    whileRunning: { calls: 'bulk', jobs: 500, window: 2 },
    enqueue: ({ payload }) => queue.add(kind, payload),
    enqueueMany: (jobs) => queue.addBulk(jobs.map(({ payload }) => ({ name: kind, data: payload }))),
    // https://docs.bullmq.io/guide/jobs/deduplication: only a delayed job is replaced, so that
    // the delay has to last for as long as jobs keep coming; beside an active one the last is kept.
    enqueueLatest: (id, { payload }) =>
      queue.add(kind, payload, {
        delay: 2_000,
        deduplication: { id, replace: true, keepLastIfActive: true },
      }),
    async startWorkers() {
      running = worker.run()
    },
    completed: (jobs) => done.reached(jobs),
    async close() {
      await worker.close()
      await running
      const { completed = 0, ...others } = await queue.getJobCounts()
      const left = Object.values(others).reduce((sum, count) => sum + count, 0)
      await queue.close()
      return { open: left, completed }
    },
  }
}
