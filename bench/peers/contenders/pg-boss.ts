import { setTimeout as sleep } from 'node:timers/promises'
import { PgBoss } from 'pg-boss'
import type { Contender, JobKind, OpenSettings, PeerPayload } from '../harness/contender.ts'
import { handlers } from '../harness/handlers.ts'
import { postgresUrl } from '../harness/postgres.ts'
import { Tally } from '../harness/tally.ts'

const queue = 'bench'
const pollMs = 5

/** For jobs of no length a batch is as large as is useful; for those of some length it is short. */
const batchSizes: Readonly<Record<JobKind, number>> = {
  NO_OP: 1_000,
  STAMP: 50,
  NAP: 50,
  HASH: 25,
}

/**
 * https://pgboss.io/api/workers: `batchSize` takes many jobs in one round trip, `burstWhenBatchFull` goes on at once
 * while batches come back full, `localConcurrency` has one batch fetched while another runs. LISTEN/NOTIFY wakes the
 * workers (`useListenNotify` and the queue's `notify`); polling, no faster than every 0.5 s there, is only the backstop.
 */
export async function open({ port, kind }: OpenSettings): Promise<Contender> {
  const boss = new PgBoss({
    connectionString: postgresUrl(port),
    schedule: false,
    useListenNotify: true,
    // Thousands of calls of one turn wait for its ten connections, some of them for longer than the default of 10 s.
    connectionTimeoutMillis: 60_000,
  })
  boss.on('error', (error) => console.error(error))
  await boss.start()
  // Of one key at most one job waits and one is active: as near as its policies come to "only the latest".
  await boss.createQueue(queue, { notify: true, policy: kind === 'NAP' ? 'stately' : 'standard' })
  const ran = new Tally()
  const count = async (state: string): Promise<number> => {
    const { rows } = await boss
      .getDb()
      .executeSql(`SELECT count(*) AS count FROM pgboss.job WHERE name = $1 AND ${state}`, [queue])
    return Number(rows[0]?.count)
  }
  return {
    bulk: { calls: 'bulk', jobs: 1_000, window: 4 },
    whileRunning: { calls: 'bulk', jobs: 1_000, window: 2 },
    enqueue: ({ payload }) => boss.send(queue, payload),
    enqueueMany: (jobs) =>
      boss.insert(
        queue,
        jobs.map(({ payload }) => ({ data: payload })),
      ),
    enqueueLatest: (singletonKey, { payload }) => boss.upsert(queue, payload, { singletonKey }),
    async startWorkers() {
      await boss.work<PeerPayload>(
        queue,
        {
          batchSize: batchSizes[kind],
          localConcurrency: 2,
          burstWhenBatchFull: true,
          pollingIntervalSeconds: 0.5,
          notifyPollingIntervalSeconds: 0.5,
        },
        async (batch) => {
          if (kind === 'NAP') await Promise.all(batch.map(({ data }) => handlers[kind](data)))
          else for (const { data } of batch) await handlers[kind](data)
          for (const _job of batch) ran.add()
        },
      )
    },
    async completed(jobs) {
      await ran.reached(jobs)
      while ((await count("state <> 'completed'")) > 0) await sleep(pollMs)
    },
    async close() {
      await boss.offWork(queue)
      const counts = {
        open: await count("state <> 'completed'"),
        completed: await count("state = 'completed'"),
      }
      await boss.stop({ graceful: true, timeout: 5_000 })
      return counts
    },
  }
}
