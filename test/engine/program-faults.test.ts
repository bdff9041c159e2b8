/**
 * Every statement of a day of programs fails once: whatever fails, as many are claimed as may run, none is left in its
 * lane, and each that was acknowledged ends as it should.
 */
import { expect, test } from 'vitest'
import { applyCancel } from '../../src/supervisor/cancel.ts'
import { failEach, type Rig, useRigs } from './commit-rig.ts'

const rigs = useRigs()

/** One may run at a time. */
function day(rig: Rig): void {
  const about = (subjectKey: string) => [{ subjectKey }]
  const plain = rig.enqueue({ jobTypes: 'PROGRAM', payloads: ['1', '2', '3'] })
  rig.enqueue({ jobTypes: ['FAILING_PROGRAM', 'OK'], payloads: ['4', '5'], options: [{ priority: 9 }, {}] })
  rig.enqueue({ jobTypes: 'PROGRAM', payloads: ['6'], options: about('s') })
  rig.cycle()
  rig.dispatch()
  rig.begin()
  // In the place of one that waits in the lane.
  rig.enqueue({ jobTypes: 'PROGRAM', payloads: ['7'], options: about('s') })
  rig.enqueue({ jobTypes: 'PROGRAM', payloads: ['8'], options: [{ priority: 50, ttlMs: 100 }] })
  rig.enqueue({ jobTypes: 'PROGRAM', payloads: ['9'], options: [{ priority: -5 }] })
  rig.cycle()
  rig.pass(200)
  rig.cycle()
  rig.end()
  rig.cycle()
  rig.dispatch()
  rig.begin()
  rig.changes.holdBelow(0)
  rig.request(() => applyCancel(rig.changes, plain.seqs[2] ?? 0, 1))
  rig.end()
  rig.cycle()
  rig.dispatch()
  rig.begin()
  rig.die()
  rig.cycle()
  rig.changes.holdBelow(-100)
  rig.finish()
}

test('without a fault the day does what it says', () => {
  const ended = rigs.liveThrough(day).settled.map(({ seq, state, attempt }) => `${seq} ${state} ${attempt}`)
  expect(ended.sort()).toEqual([
    '1 DONE 1',
    '2 DONE 2',
    '3 CANCELLED 0',
    '4 FAILED 2',
    '5 DONE 1',
    '6 SUPERSEDED 0',
    '7 DONE 1',
    '8 SKIPPED_TTL 0',
    '9 DONE 1',
  ])
})

test.each(['fails', 'rolls-back', 'fails-for-long'] as const)('whichever statement %s', async (kind) => {
  expect(await failEach(rigs, day, kind)).toBeGreaterThan(100)
})
