import { setTimeout as sleep } from 'node:timers/promises'
import { Logger, makeWorkerUtils, type Runner, run } from 'graphile-worker'
import { Pool } from 'pg'
import { systemClock } from '../../../src/clock.ts'
import type { Contender, JobKind, OpenSettings, PeerPayload } from '../harness/contender.ts'
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
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
}

/**
 * For jobs of no length a large one; for busy jobs "one more than concurrency", as that page advises in general, since a
 * whole queue runs without a turn for anything else. What lies in it is locked, and cannot be replaced: then none.
 */
const localQueueSizes: Readonly<Record<JobKind, number>> = { NO_OP: 1_000, STAMP: 1_000, HASH: 25, NAP: -1 }

/** https://worker.graphile.org/docs/job-key: a replaced job begins anew to wait for its time. */
const debounceMs = 2_000

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
    // With a key, `replace` is the mode of addJobs.
    enqueueLatestMany(jobs) {
      const runAt = new Date(systemClock.wallMs() + debounceMs)
      return utils.addJobs(
        jobs.map(({ subject, job }) => ({ identifier: kind, payload: job.payload, jobKey: subject, runAt })),
      )
    },
    async startWorkers() {
      runner = await run({
        connectionString,
        noHandleSignals: true,
        logger: silent,
        preset: { worker: { ...worker, localQueue: { size: localQueueSizes[kind] } } },
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
