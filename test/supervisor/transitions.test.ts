import { expect, test } from 'vitest'
import type { SupervisorNotice } from '../../src/supervisor/messages.ts'
import { Transitions } from '../../src/supervisor/transitions.ts'

const job = { jobType: 'A', queue: 'default', attempt: 1 }

function transitions(maxPending?: number) {
  const told: SupervisorNotice[] = []
  return { told, log: new Transitions((notice) => told.push(notice), maxPending) }
}

function runsOf(notice: SupervisorNotice | undefined): unknown {
  return notice?.kind === 'transitions' ? JSON.parse(notice.runs) : undefined
}

test('neighbours that change alike are one run', () => {
  const { told, log } = transitions()
  for (const seq of [1, 2, 3]) log.record({ ...job, seq }, 'QUEUED', 'RUNNING')
  log.record({ ...job, seq: 5 }, 'QUEUED', 'RUNNING')
  log.record({ ...job, seq: 6, attempt: 2 }, 'QUEUED', 'RUNNING')
  log.record({ ...job, seq: 7, attempt: 2 }, 'RUNNING', 'DONE', 4)
  log.record({ ...job, seq: 8, attempt: 2 }, 'RUNNING', 'DONE', 5)
  log.flush(1_000)
  expect(told).toHaveLength(1)
  expect(runsOf(told[0])).toMatchObject([
    { firstSeq: 1, jobs: 3 },
    { firstSeq: 5, jobs: 1 },
    { firstSeq: 6, jobs: 1, attempt: 2 },
    { firstSeq: 7, jobs: 1, state: 'DONE', durationMs: 4 },
    { firstSeq: 8, jobs: 1, durationMs: 5 },
  ])
  log.flush(1_001)
  expect(told).toHaveLength(1)
})

test('what is rolled back is not told, also of a run that goes on', () => {
  const { told, log } = transitions()
  log.record({ ...job, seq: 1 }, 'QUEUED', 'RUNNING')
  const mark = log.mark()
  log.record({ ...job, seq: 2 }, 'QUEUED', 'RUNNING')
  log.record({ ...job, seq: 9 }, 'QUEUED', 'RUNNING')
  log.rollbackTo(mark)
  log.record({ ...job, seq: 2 }, 'QUEUED', 'CANCELLED')
  log.flush(1_000)
  expect(runsOf(told[0])).toMatchObject([
    { firstSeq: 1, jobs: 1 },
    { firstSeq: 2, state: 'CANCELLED' },
  ])
})

test('over what may be on its way they are counted, and the count is told', () => {
  const { told, log } = transitions(300)
  const tell = (seq: number) => {
    log.record({ ...job, seq }, 'QUEUED', 'RUNNING')
    log.flush(1_000)
  }
  for (const seq of [1, 3, 5, 7, 9]) tell(seq)
  const sent = told.flatMap((notice) => (notice.kind === 'transitions' ? [notice] : []))
  expect(sent.length).toBeLessThan(5)
  expect(sent.every(({ dropped }) => dropped === 0)).toBe(true)
  for (const { runs } of sent) log.logged(runs.length, 2_000)
  expect(told.at(-1)).toEqual({ kind: 'transitions', runs: '[]', at: 2_000, dropped: 5 - sent.length })
  log.logged(2, 2_001)
  tell(11)
  expect(told.at(-1)).toMatchObject({ dropped: 0 })
})
