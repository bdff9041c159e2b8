import type { PeerJob } from '../contender.ts'
import { measureRate, produce } from '../produce.ts'
import { checkCount, type Measure } from './order.ts'

/** From the first enqueue until every job is recorded as completed; workers run all the while. */
export const measureNoOp: Measure = async (contender, { isSmoke }) => {
  await contender.startWorkers()
  let total = 0
  const sizes = isSmoke ? { targetMs: 50, warmUpMs: 5 } : { targetMs: 1_500, warmUpMs: 300 }
  const { jobs, elapsedMs } = await measureRate(sizes, async (count) => {
    total += count
    await produce(contender, contender.whileRunning, count, noOp)
    await contender.completed(total)
  })
  checkCount(await contender.close(), { open: 0, completed: total })
  return { jobs_per_s: (jobs / elapsedMs) * 1_000 }
}

export function noOp(n: number): PeerJob {
  return { kind: 'NO_OP', payload: { n } }
}
