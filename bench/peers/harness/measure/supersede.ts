import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../../../src/clock.ts'
import { napMs } from '../handlers.ts'
import { listenToMarks } from '../marks.ts'
import type { Measure } from './order.ts'

const subjects = 100
/** Nothing more comes when so long nothing has begun. */
const quietMs = 1_000

/** One turn enqueues all of them, subject after subject, over and over. */
export const measureSupersede: Measure = async (contender, { isSmoke }) => {
  const { enqueueLatest } = contender
  if (enqueueLatest === undefined) throw new Error('This contender has no call for it')
  const jobs = subjects * (isSmoke ? 5 : 100)
  const ran = new Set<number>()
  let lastMs = systemClock.monotonicMs()
  listenToMarks((mark) => {
    ran.add(mark.n)
    lastMs = Math.max(lastMs, mark.startedMs + napMs)
  })
  await contender.startWorkers()
  const startMs = systemClock.monotonicMs()
  await Promise.all(
    Array.from({ length: jobs }, (_, n) =>
      enqueueLatest(`subject-${n % subjects}`, { kind: 'NAP', payload: { n } }),
    ),
  )
  const latest = Array.from({ length: subjects }, (_, subject) => jobs - subjects + subject)
  while (!latest.every((n) => ran.has(n)) && systemClock.monotonicMs() - lastMs < quietMs) await sleep(napMs)
  const { open } = await contender.close()
  if (open !== 0) throw new Error(`${open} jobs are left open`)
  return {
    never_ran: (1 - ran.size / jobs) * 100,
    latest_ran: latest.filter((n) => ran.has(n)).length,
    elapsed_ms: lastMs - startMs,
  }
}
