import { join } from 'node:path'
import { Engine } from '../../../src/index.ts'
import { openReader } from '../../../src/store/open.ts'
import type { Contender, OpenSettings } from '../harness/contender.ts'
import jobs from './ours-jobs.ts'

/**
 * One thread a core (README: `threads`), everything else at its defaults. `enqueue` packs what one turn of the event
 * loop brings into one message and one commit; the window fits the pool, so that little is claimed a second time.
 */
export async function open({ folder, durability, cores, runsJobs }: OpenSettings): Promise<Contender> {
  if (durability === 'none') throw new Error('The engine stores everything')
  const database = join(folder, 'engine.db')
  const engine = await Engine.start({ jobs, database, durability, threads: runsJobs ? cores : 1 })
  // There is no engine without threads: its only one is kept by a job that waits.
  if (!runsJobs) await engine.enqueue('HOLD', null)
  return {
    bulk: { calls: 'bulk', jobs: 1_000, window: 4 },
    whileRunning: { calls: 'single', window: 2_000 },
    enqueue: ({ kind, payload }) => engine.enqueue(kind, payload),
    enqueueMany: (many) => engine.enqueueMany(many.map(({ kind, payload }) => ({ type: kind, payload }))),
    enqueueLatest: (subjectKey, { kind, payload }) => engine.enqueue(kind, payload, { subjectKey }),
    async startWorkers() {},
    completed: () => engine.idle(),
    async close() {
      await engine.stop({ graceMs: 1_000 })
      const reader = openReader(database)
      const count = (where: string): number =>
        Number(
          reader.prepare(`SELECT COUNT(*) FROM jobs WHERE job_type <> 'HOLD' AND ${where}`).pluck().get(),
        )
      const counts = {
        open: count("state IN ('QUEUED', 'SCHEDULED', 'RUNNING')"),
        completed: count("state = 'DONE'"),
      }
      reader.close()
      return counts
    },
  }
}
