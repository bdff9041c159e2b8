/** Every recorded change of a job is one of its trace, also where many jobs are changed by one statement. */
import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { openWriter } from '../../src/store/open.ts'
import { JobWriter } from '../../src/store/writer.ts'
import { advance } from '../../src/supervisor/backlog.ts'
import { cancelSlice, requestCancel } from '../../src/supervisor/cancel-matching.ts'
import { Changes } from '../../src/supervisor/changes.ts'
import { Claims } from '../../src/supervisor/claims.ts'
import { applyEnqueue } from '../../src/supervisor/enqueue.ts'
import { JobTypes } from '../../src/supervisor/job-types.ts'
import { recover } from '../../src/supervisor/recover.ts'
import { type ChangedJob, Transitions } from '../../src/supervisor/transitions.ts'
import { usePlace } from '../store/folder.ts'

const place = usePlace()
const clock: Clock = { wallMs: () => 1_000, monotonicMs: () => 1_000, startTimer: () => ({ cancel() {} }) }
const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

class Recorded extends Transitions {
  readonly told: unknown[] = []

  override recordRun(jobs: number, { traceparent }: ChangedJob, from: string | null, state: string): void {
    for (let job = 0; job < jobs; job++) this.told.push([from, state, traceparent])
  }
}

function openChanges() {
  const database = place.keep(openWriter({ path: place.pathOf('tasks.db'), durability: 'process' }))
  const transitions = new Recorded(() => {})
  const changes = new Changes({
    writer: new JobWriter(database),
    claims: new Claims(),
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
    transitions,
  })
  const options = [{ userTag: 'tag' }]
  applyEnqueue(changes, { jobs: 1, jobTypes: 'OK', payloads: '[1]', options, traceparents: traceparent })
  const waitFor = (what: 'time' | 'handler' | 'program') => {
    database.exec(
      `UPDATE jobs SET state = 'SCHEDULED', waits_for = '${what}', run_at = iif('${what}' = 'time', 1, NULL)`,
    )
    changes.writer.counters.move('default', 'QUEUED', 'SCHEDULED')
    changes.dueAt = changes.writer.releases.nextDue()
    transitions.told.length = 0
  }
  return { changes, waitFor, told: transitions.told }
}

test('a job whose time has come', () => {
  const { changes, waitFor, told } = openChanges()
  waitFor('time')
  advance(changes, false)
  expect(told[0]).toEqual(['SCHEDULED', 'QUEUED', traceparent])
})

test('one that waited for a handler', () => {
  const { changes, waitFor, told } = openChanges()
  waitFor('handler')
  changes.recordReleased(changes.writer.releases.releaseParked(['OK'], 10))
  expect(told).toEqual([['SCHEDULED', 'QUEUED', traceparent]])
})

test('one that waited as a program, and is none any more', () => {
  const { changes, waitFor, told } = openChanges()
  waitFor('program')
  recover(changes, (apply) => apply())
  expect(told).toEqual([['SCHEDULED', 'QUEUED', traceparent]])
})

test('one that is cancelled by its tag', () => {
  const { changes, told } = openChanges()
  told.length = 0
  requestCancel(changes, { userTag: 'tag' }, () => {})
  cancelSlice(changes, 0)
  expect(told).toEqual([['QUEUED', 'CANCELLED', traceparent]])
})
