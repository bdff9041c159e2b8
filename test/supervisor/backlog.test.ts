import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { openWriter } from '../../src/store/open.ts'
import { JobWriter } from '../../src/store/writer.ts'
import { advance, canAdvance } from '../../src/supervisor/backlog.ts'
import { Changes } from '../../src/supervisor/changes.ts'
import { Claims } from '../../src/supervisor/claims.ts'
import { applyEnqueue } from '../../src/supervisor/enqueue.ts'
import { JobTypes } from '../../src/supervisor/job-types.ts'
import { usePlace } from '../store/folder.ts'

const place = usePlace()
const clock: Clock = { wallMs: () => 1_000, monotonicMs: () => 1_000, startTimer: () => ({ cancel() {} }) }

test('while a job runs alone in the whole engine there is nothing to advance, or the supervisor would not rest', () => {
  const database = place.keep(openWriter({ path: place.pathOf('tasks.db'), durability: 'process' }))
  const writer = new JobWriter(database)
  const claims = new Claims()
  const changes = new Changes({
    writer,
    claims,
    jobTypes: new JobTypes({ OK: {} }),
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
  applyEnqueue(changes, { jobs: 2, jobTypes: 'OK', payloads: '["1","2"]', options: undefined })
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
