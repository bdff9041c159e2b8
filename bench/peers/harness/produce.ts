/** Hands jobs to a contender, as many calls at a time unanswered as its way says. */
import { systemClock } from '../../../src/clock.ts'
import type { Contender, PeerJob, Way } from './contender.ts'

/** Resolves when all of them are acknowledged. */
export async function produce(
  contender: Contender,
  way: Way,
  jobs: number,
  make: (n: number) => PeerJob,
): Promise<void> {
  let next = 0
  const single = async (): Promise<void> => {
    while (next < jobs) await contender.enqueue(make(next++))
  }
  const bulk = async (size: number): Promise<void> => {
    while (next < jobs) {
      const first = next
      next = Math.min(jobs, first + size)
      await contender.enqueueMany(Array.from({ length: next - first }, (_, place) => make(first + place)))
    }
  }
  await Promise.all(
    Array.from({ length: way.window }, () => (way.calls === 'single' ? single() : bulk(way.jobs))),
  )
}

export interface Sizes {
  /** How long the measured part should take; from the speed of the warm-up follows how many jobs that is. */
  readonly targetMs: number
  /** The warm-up goes on with twice as many jobs until they take so long. */
  readonly warmUpMs: number
}

export const minJobs = 500
const maxJobs = 400_000
const firstJobs = 250

export interface Rate {
  /** Jobs that the warm-up has added. */
  readonly warmUpJobs: number
  /** Jobs that were measured. */
  readonly jobs: number
  readonly elapsedMs: number
}

/** Warms up, then measures: `run` adds so many jobs, and resolves when that counts as done. */
export async function measureRate(
  { targetMs, warmUpMs }: Sizes,
  run: (jobs: number) => Promise<void>,
): Promise<Rate> {
  const time = async (jobs: number): Promise<number> => {
    const startMs = systemClock.monotonicMs()
    await run(jobs)
    return systemClock.monotonicMs() - startMs
  }
  let jobs = firstJobs
  let warmUpJobs = 0
  let elapsedMs = 0
  do {
    jobs *= 2
    elapsedMs = await time(jobs)
    warmUpJobs += jobs
  } while (elapsedMs < warmUpMs)
  const fitting = Math.round((jobs / elapsedMs) * targetMs)
  jobs = Math.max(minJobs, Math.min(maxJobs, fitting))
  return { warmUpJobs, jobs, elapsedMs: await time(jobs) }
}
