import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../../../src/clock.ts'
import type { Contender } from '../contender.ts'
import { listenToMarks } from '../marks.ts'
import { checkCount, type Measure } from './order.ts'

const jobsPerSecond = 500
const tickMs = 1

/**
 * Each job has an instant at which it is due, whatever became of those before, so that a wait that holds up the
 * producer counts for every job that was due meanwhile.
 */
export const measureLatency: Measure = async (contender, { isSmoke }) => {
  const jobs = jobsPerSecond * (isSmoke ? 0.2 : 4)
  const warmUpJobs = jobsPerSecond * (isSmoke ? 0.1 : 1)
  const startedMs = new Map<number, number>()
  // Before the warm-up: the first mark of another thread holds up this one for 40 ms.
  listenToMarks((mark) => {
    if (mark.n >= warmUpJobs) startedMs.set(mark.n, mark.startedMs)
  })
  await contender.startWorkers()
  await enqueuePaced(contender, 0, warmUpJobs)
  await contender.completed(warmUpJobs)

  const firstDueMs = await enqueuePaced(contender, warmUpJobs, jobs)
  await contender.completed(warmUpJobs + jobs)
  // What threads and processes say arrives in a later turn.
  while (startedMs.size < jobs) await sleep(tickMs)
  checkCount(await contender.close(), { open: 0, completed: warmUpJobs + jobs })
  const latencies = Array.from(
    startedMs,
    ([n, ms]) => ms - firstDueMs - ((n - warmUpJobs) * 1_000) / jobsPerSecond,
  ).sort((one, other) => one - other)
  return {
    p50_ms: percentile(latencies, 0.5),
    p99_ms: percentile(latencies, 0.99),
    p999_ms: percentile(latencies, 0.999),
  }
}

/** Gives the instant at which the first was due. */
async function enqueuePaced(contender: Contender, first: number, jobs: number): Promise<number> {
  const firstDueMs = systemClock.monotonicMs() + tickMs
  const acknowledged: Promise<unknown>[] = []
  while (acknowledged.length < jobs) {
    const due = Math.floor(((systemClock.monotonicMs() - firstDueMs) / 1_000) * jobsPerSecond) + 1
    while (acknowledged.length < Math.min(due, jobs)) {
      const n = first + acknowledged.length
      acknowledged.push(contender.enqueue({ kind: 'STAMP', payload: { n } }))
    }
    await sleep(tickMs)
  }
  await Promise.all(acknowledged)
  return firstDueMs
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}
