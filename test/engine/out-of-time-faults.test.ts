/**
 * Every statement of a day of jobs whose time runs out fails once: a job is skipped or runs, and never both; the rows that
 * tell when are those of the jobs that wait.
 */
import { expect, test } from 'vitest'
import { applyCancel } from '../../src/supervisor/cancel.ts'
import { failEach, type Rig, useRigs } from './commit-rig.ts'

const rigs = useRigs()

/** The clock stands at 1,000,000 when it begins. */
function day(rig: Rig): void {
  const later = 9_000_000
  rig.enqueue({ jobTypes: 'FAIL', payloads: ['1'], options: [{ ttlMs: 5, deadline: later }] })
  rig.enqueue({ jobTypes: 'FAIL', payloads: ['2'], options: [{ ttlMs: 5, deadline: 1_000_020 }] })
  rig.enqueue({ payloads: ['3'], options: [{ deadline: 1 }] })
  rig.enqueue({ jobTypes: 'NOT_SERVED', payloads: ['4'], options: [{ ttlMs: 5, queue: 'side' }] })
  rig.cycle()
  rig.dispatch()
  rig.begin()
  // What has begun is left alone; these are claimed behind it, and given out.
  rig.enqueue({ payloads: ['5', '6'], options: [{ ttlMs: 5 }, { ttlMs: 5, subjectKey: 's' }] })
  const cancelled = rig.enqueue({ payloads: ['7'], options: [{ ttlMs: 5, deadline: later }] })
  rig.cycle()
  rig.dispatch()
  rig.pass(5)
  // The one that waits cannot be kept any more.
  rig.enqueue({ payloads: ['8'], options: [{ subjectKey: 's', onConflict: 'keep', ttlMs: 500 }] })
  rig.request(() => applyCancel(rig.changes, cancelled.seqs[0] ?? 0, 1))
  rig.cycle()
  rig.pass(15)
  rig.end()
  rig.cycle()
  rig.finish()
}

test('without a fault the day does what it says', () => {
  const ended = rigs.liveThrough(day).settled.map(({ seq, state, attempt }) => `${seq} ${state} ${attempt}`)
  expect(ended.sort()).toEqual([
    '1 FAILED 2',
    '2 FAILED 1',
    '3 SKIPPED_DEADLINE 0',
    '4 SKIPPED_TTL 0',
    '5 SKIPPED_TTL 0',
    '6 SKIPPED_TTL 0',
    '7 CANCELLED 0',
    '8 DONE 1',
  ])
})

test.each(['fails', 'rolls-back', 'fails-for-long'] as const)('whichever statement %s', async (kind) => {
  expect(await failEach(rigs, day, kind)).toBeGreaterThan(80)
})
