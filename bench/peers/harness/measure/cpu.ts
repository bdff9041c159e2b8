import { systemClock } from '../../../../src/clock.ts'
import type { PeerJob } from '../contender.ts'
import { produce } from '../produce.ts'
import { StallRecorder } from '../stall.ts'
import { checkCount, type Measure } from './order.ts'

/** How many of them keep every core busy for a second and a half. */
const jobsPerCore = 750
const warmUpJobsPerCore = 100

export const measureCpu: Measure = async (contender, { isSmoke, cores, hash }) => {
  const { rounds, digest, jobMs } = hash
  const make = (n: number): PeerJob => ({ kind: 'HASH', payload: { n, rounds, digest } })
  const jobs = cores * (isSmoke ? 20 : jobsPerCore)
  const warmUpJobs = cores * (isSmoke ? 5 : warmUpJobsPerCore)
  await contender.startWorkers()
  await produce(contender, contender.whileRunning, warmUpJobs, make)
  await contender.completed(warmUpJobs)

  const stall = new StallRecorder()
  const startMs = systemClock.monotonicMs()
  await produce(contender, contender.whileRunning, jobs, make)
  await contender.completed(warmUpJobs + jobs)
  const elapsedMs = systemClock.monotonicMs() - startMs
  const stallMs = stall.stop()
  checkCount(await contender.close(), { open: 0, completed: warmUpJobs + jobs })
  return { ideal_share: ((jobs * jobMs) / cores / elapsedMs) * 100, stall_ms: stallMs }
}
