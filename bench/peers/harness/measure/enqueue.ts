import type { Contender, Way } from '../contender.ts'
import { measureRate, produce } from '../produce.ts'
import { noOp } from './no-op.ts'
import { checkCount, type Measure, type Measured, type MeasureSettings } from './order.ts'

const single: Way = { calls: 'single', window: 500 }

export const measureEnqueueOne: Measure = (contender, settings) => measureEnqueue(contender, single, settings)

export const measureEnqueueBulk: Measure = (contender, settings) =>
  measureEnqueue(contender, contender.bulk, settings)

async function measureEnqueue(
  contender: Contender,
  way: Way,
  { isSmoke }: MeasureSettings,
): Promise<Measured> {
  const sizes = isSmoke ? { targetMs: 50, warmUpMs: 5 } : { targetMs: 1_000, warmUpMs: 250 }
  const { warmUpJobs, jobs, elapsedMs } = await measureRate(sizes, (count) =>
    produce(contender, way, count, noOp),
  )
  checkCount(await contender.close(), { open: warmUpJobs + jobs, completed: 0 })
  return { jobs_per_s: (jobs / elapsedMs) * 1_000 }
}
