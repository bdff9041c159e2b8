import { setTimeout as sleep } from 'node:timers/promises'
import { Logger, makeWorkerUtils, type Runner, run } from 'graphile-worker'
import { Pool } from 'pg'
import type { Contender, OpenSettings, PeerPayload } from '../harness/contender.ts'
import { handlers } from '../harness/handlers.ts'
import { postgresUrl } from '../harness/postgres.ts'
import { Tally } from '../harness/tally.ts'

const silent = new Logger(() => () => {})
const pollMs = 5

/**
 * https://worker.graphile.org/docs/performance: the settings with which its own figures were taken, with a local
 * queue of 1,000 instead of 500, which was no slower here. `add_jobs` for bulk; jobs wake the worker through
 * LISTEN/NOTIFY. Completed jobs are deleted, as always there.
 */
const worker = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 1_000 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
}

export async function open({ port, kind }: OpenSettings): Promise<Contender> {
  const connectionString = postgresUrl(port)
  // Producers have connections of their own, as many as node-postgres opens by default.
  const pgPool = new Pool({ connectionString })
  const utils = await makeWorkerUtils({ pgPool, logger: silent })
  await utils.migrate()
  const ran = new Tally()
  let runner: Runner | undefined
  const countJobs = async (): Promise<number> => {
    const { rows } = await pgPool.query<{ count: string }>(
      'SELECT count(*) AS count FROM graphile_worker._private_jobs',
    )
    return Number(rows[0]?.count)
  }
  return {
    bulk: { calls: 'bulk', jobs: 1_000, window: 4 },
    whileRunning: { calls: 'bulk', jobs: 1_000, window: 1 },
    enqueue: ({ payload }) => utils.addJob(kind, payload),
    enqueueMany: (jobs) => utils.addJobs(jobs.map(({ payload }) => ({ identifier: kind, payload }))),
    enqueueLatest: (jobKey, { payload }) => utils.addJob(kind, payload, { jobKey, jobKeyMode: 'replace' }),
    async startWorkers() {
      runner = await run({
        connectionString,
        noHandleSignals: true,
        logger: silent,
        // What lies in the local queue is locked, and a locked job cannot be replaced.
        preset: { worker: kind === 'NAP' ? { ...worker, localQueue: { size: -1 } } : worker },
        taskList: {
          async [kind](payload: unknown) {
            await handlers[kind](payload as PeerPayload)
            ran.add()
          },
        },
      })
    },
    async completed(jobs) {
      await ran.reached(jobs)
      while ((await countJobs()) > 0) await sleep(pollMs)
    },
    async close() {
      await runner?.stop()
      const left = await countJobs()
      await utils.release()
      await pgPool.end()
      return { open: left, completed: 'removed' }
    },
  }
}
