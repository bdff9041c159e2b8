import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { openWriter } from '../../src/store/open.ts'
import { JobWriter } from '../../src/store/writer.ts'
import { advance, canAdvance } from '../../src/supervisor/backlog.ts'
import { applyCancel } from '../../src/supervisor/cancel.ts'
import { cancelSlice, requestCancel } from '../../src/supervisor/cancel-matching.ts'
import { Changes } from '../../src/supervisor/changes.ts'
import { Claims } from '../../src/supervisor/claims.ts'
import { applyEnqueue } from '../../src/supervisor/enqueue.ts'
import { putBack } from '../../src/supervisor/finish.ts'
import { JobTypes } from '../../src/supervisor/job-types.ts'
import { usePlace } from '../store/folder.ts'

const place = usePlace()
let nowMs = 1_000
const clock: Clock = { wallMs: () => nowMs, monotonicMs: () => 1_000, startTimer: () => ({ cancel() {} }) }

function makeChanges() {
  const database = place.keep(openWriter({ path: place.pathOf('tasks.db'), durability: 'process' }))
  const writer = new JobWriter(database)
  const claims = new Claims()
  const jobTypes = new JobTypes({ OK: {} })
  const changes = new Changes({
    writer,
    claims,
    jobTypes,
    clock,
    threads: 1,
    programConcurrency: 1,
    random: () => 0,
    listener: {
      wants: () => false,
      wantsProgress: () => false,
      onSettled: () => {},
      onEvent: () => {},
      abort: () => {},
    },
    metering: undefined,
    mayWriteMuch: () => true,
    afterCommit: () => {},
  })
  return { database, writer, claims, jobTypes, changes }
}

function enqueue(changes: Changes, jobs: number): void {
  const payloads = JSON.stringify(Array.from({ length: jobs }, () => 'null'))
  applyEnqueue(changes, { jobs, jobTypes: 'OK', payloads, options: undefined })
}

test('while a job runs alone in the whole engine there is nothing to advance, or the supervisor would not rest', () => {
  const { database, claims, changes } = makeChanges()
  enqueue(changes, 2)
  database.exec('UPDATE jobs SET suspicion = 2 WHERE seq = 1')
  changes.admits = true
  expect(canAdvance(changes)).toBe(true)
  advance(changes, false)
  claims.committed()
  expect([...claims.all()].map(({ seq }) => seq)).toEqual([1])
  expect(canAdvance(changes)).toBe(false)
  for (const claim of [...claims.all()]) claims.end(claim)
  expect(canAdvance(changes)).toBe(true)
})

test('tiny jobs that come while the threads have enough are claimed as they come, as long as they are short work', () => {
  const { writer, claims, jobTypes, changes } = makeChanges()
  changes.admits = true
  jobTypes.get('OK').observe(0.001)
  for (let message = 0; message < 70; message++) enqueue(changes, 500)
  const { QUEUED, RUNNING } = writer.counters.totals()
  expect({ QUEUED, RUNNING, claims: claims.size }).toEqual({ QUEUED: 2_232, RUNNING: 32_768, claims: 32_768 })
  advance(changes, false)
  expect([claims.size, canAdvance(changes)]).toEqual([32_768, false])
})

test('what waits is claimed by the batch, and all of it once there is room, so that nothing has to wait behind it', () => {
  const { writer, claims, jobTypes, changes } = makeChanges()
  changes.admits = true
  jobTypes.get('OK').observe(0.001)
  for (let message = 0; message < 140; message++) enqueue(changes, 500)
  const end = (count: number) => {
    for (const claim of [...claims.all()].slice(0, count)) claims.end(claim)
  }
  const claimed = () => {
    const before = claims.size
    advance(changes, false)
    return claims.size - before
  }
  expect(writer.counters.total('QUEUED')).toBe(70_000 - 32_768)
  // More than there can be room for: only what the threads can use soon.
  end(32_768 - 1_500)
  expect([claimed(), claimed()]).toEqual([1_536, 0])
  expect(canAdvance(changes)).toBe(false)
  for (let left = 70_000 - 32_768 - 1_536; left > 30_000; left -= 1_536) {
    end(1_536)
    expect(claimed()).toBe(1_536)
  }
  // A batch of each thread at a time, nobody knows how long they take.
  expect([claimed(), claimed()]).toEqual([1_536, 1_536])
  while (canAdvance(changes)) claimed()
  expect(writer.counters.total('QUEUED')).toBe(0)
})

test('jobs that are long work wait as backlog once the threads have enough', () => {
  const { writer, jobTypes, changes } = makeChanges()
  changes.admits = true
  jobTypes.get('OK').observe(1)
  enqueue(changes, 500)
  const { QUEUED, RUNNING } = writer.counters.totals()
  expect({ QUEUED, RUNNING }).toEqual({ QUEUED: 380, RUNNING: 120 })
})

test('a subject whose job runs without a claim takes new jobs, also once that one has passed its deadline', () => {
  const { claims, changes, writer } = makeChanges()
  changes.admits = true
  const about = (deadline: number) =>
    applyEnqueue(changes, {
      jobs: 1,
      jobTypes: 'OK',
      payloads: '["null"]',
      options: [{ subjectKey: 'a', deadline }],
    })
  about(2_000)
  // As a job that the start could not recover is left.
  for (const claim of [...claims.all()]) claims.end(claim)
  nowMs = 3_000
  about(9_000)
  nowMs = 1_000
  expect(writer.counters.totals()).toMatchObject({ RUNNING: 2, SKIPPED_DEADLINE: 0 })
  expect(claims.size).toBe(1)
})

test('the suspects that wait are counted right, whatever becomes of them', () => {
  const { database, writer, claims, changes } = makeChanges()
  const about = (subjectKey: string) =>
    applyEnqueue(changes, { jobs: 1, jobTypes: 'OK', payloads: '["null"]', options: [{ subjectKey }] })
  for (const subjectKey of 'abcdefgh') about(subjectKey)
  database.exec('UPDATE jobs SET suspicion = 1 WHERE seq > 1; UPDATE jobs SET suspicion = 2 WHERE seq > 6')
  const { suspects } = changes
  const stored = () => ({ all: writer.backlogCount(1), exclusive: writer.backlogCount(2) })
  const expectCounted = (all: number, exclusive: number) => {
    expect({ all: suspects.all, exclusive: suspects.exclusive }).toEqual({ all, exclusive })
    expect(stored()).toEqual({ all, exclusive })
  }
  expectCounted(7, 2)
  changes.admits = true
  advance(changes, false)
  expectCounted(6, 1)
  for (const claim of [...claims.all()])
    putBack(changes, claim, { runAt: undefined, startedAt: null, now: nowMs, suspicion: 2 })
  expectCounted(7, 2)
  applyCancel(changes, 2, nowMs)
  applyCancel(changes, 7, nowMs)
  expectCounted(5, 1)
  about('c')
  expectCounted(4, 1)
  requestCancel(changes, { subjectPrefix: 'd' }, () => {})
  while (changes.cancelRequests.length > 0) cancelSlice(changes, 1)
  expectCounted(3, 1)
  database.exec('SAVEPOINT tried')
  const recall = changes.mark()
  applyCancel(changes, 8, nowMs)
  expectCounted(2, 0)
  database.exec('ROLLBACK TO tried')
  recall()
  expectCounted(3, 1)
})
