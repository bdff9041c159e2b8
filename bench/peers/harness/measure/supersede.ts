import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../../../src/clock.ts'
import type { Contender } from '../contender.ts'
import { napMs } from '../handlers.ts'
import { listenToMarks } from '../marks.ts'
import type { Measure } from './order.ts'

const subjects = 100
/** Nothing more comes when so long nothing has begun. */
const quietMs = 5_000

/** Subject after subject, over and over. */
export const measureSupersede: Measure = async (contender, { isSmoke }) => {
  const jobs = subjects * (isSmoke ? 5 : 100)
  const ran = new Set<number>()
  let lastMs = systemClock.monotonicMs()
  listenToMarks((mark) => {
    ran.add(mark.n)
    lastMs = Math.max(lastMs, mark.startedMs + napMs)
  })
  await contender.startWorkers()
  const startMs = systemClock.monotonicMs()
  await enqueueLatest(contender, jobs)
  const enqueuedMs = systemClock.monotonicMs()
  const latest = Array.from({ length: subjects }, (_, subject) => jobs - subjects + subject)
  while (
    !latest.every((n) => ran.has(n)) &&
    systemClock.monotonicMs() - Math.max(lastMs, enqueuedMs) < quietMs
  )
    await sleep(napMs)
  const { open } = await contender.close()
  if (open !== 0) throw new Error(`${open} jobs are left open`)
  return {
    never_ran: (1 - ran.size / jobs) * 100,
    latest_ran: latest.filter((n) => ran.has(n)).length,
    elapsed_ms: lastMs - startMs,
  }
}

/** In one turn, or in as few calls as there can be, one after the other. */
async function enqueueLatest(contender: Contender, jobs: number): Promise<void> {
  const all = Array.from({ length: jobs }, (_, n) => ({
    subject: `subject-${n % subjects}`,
    job: { kind: 'NAP', payload: { n } } as const,
  }))
  if (contender.enqueueLatestMany !== undefined) {
    for (let first = 0; first < jobs; first += subjects) {
      await contender.enqueueLatestMany(all.slice(first, first + subjects))
    }
    return
  }
  await Promise.all(
    all.map(({ subject, job }) => {
      if (contender.enqueueLatest === undefined) throw new Error('This contender has no call for it')
      return contender.enqueueLatest(subject, job)
    }),
  )
}
