/**
 * Every statement of a scripted day fails once: whatever fails, and however, the counters are the table's, the claims
 * are the rows that run, nothing is told that is not so, and in the end each job that was acknowledged has ended.
 */
import { expect, test } from 'vitest'
import { applyCancel, applyRetry } from '../../src/supervisor/cancel.ts'
import { failEach, Rig, useRigs } from './commit-rig.ts'

const rigs = useRigs()

/** A day in the life: everything that a commit can hold, in some order. */
function day(rig: Rig): void {
  const plain = rig.enqueue({ payloads: ['1', '2', '3'] })
  rig.enqueue({ jobTypes: ['FAIL', 'PARENT'], payloads: ['4', '5'] })
  const about = (subjectKey: string, more = {}) => [{ subjectKey, ...more }]
  rig.enqueue({ payloads: ['6'], options: about('s') })
  // Takes the place of one that was claimed in the same transaction.
  const second = rig.enqueue({ payloads: ['7'], options: about('s') })
  rig.enqueue({ jobTypes: 'NOT_SERVED', payloads: ['8'], options: [{ queue: 'side' }] })
  rig.cycle()
  rig.dispatch()
  // Ready, and not given out yet.
  rig.enqueue({ payloads: ['17'], options: about('r') })
  rig.cycle()
  rig.enqueue({ payloads: ['18'], options: about('r') })
  rig.cycle()
  rig.dispatch()
  // Takes back what was given out and has not begun.
  rig.enqueue({ payloads: ['9'], options: about('s', { generation: 40 }) })
  rig.enqueue({ payloads: ['10'], options: about('s', { generation: 4 }) })
  rig.request(() => applyCancel(rig.changes, plain.seqs[0] ?? 0, 1))
  rig.enqueue({ payloads: ['11'], options: [{ idempotencyKey: 'k' }] })
  rig.enqueue({ payloads: ['12'], options: [{ idempotencyKey: 'k', priority: 5 }] })
  rig.cycle()
  rig.begin()
  rig.dispatch()
  rig.request(() => applyCancel(rig.changes, plain.seqs[1] ?? 0, 1))
  // Waits for one that has begun.
  const waiter = rig.enqueue({ payloads: ['13'], options: about('s', { onRunning: 'finish' }) })
  rig.enqueue({ payloads: ['14'], options: about('s', { onConflict: 'keep' }) })
  rig.cycle()
  rig.end()
  rig.enqueue({ payloads: ['15', '16'] })
  rig.cycle()
  rig.dispatch()
  rig.begin()
  const retried = { seq: plain.seqs[2] ?? 0, traceparent: undefined }
  rig.request(() => applyRetry(rig.changes, retried, 1))
  rig.request(() => applyCancel(rig.changes, waiter.seqs[0] ?? 0, 1))
  rig.request(() => applyCancel(rig.changes, second.seqs[0] ?? 0, 1))
  rig.die()
  rig.cycle()
  rig.pass(100_000)
  rig.cycle()
  rig.finish()
}

test('without a fault the day does what it says', () => {
  const { settled, acknowledged } = rigs.liveThrough(day)
  const states = settled.reduce<Record<string, number>>((counts, { state }) => {
    counts[state] = (counts[state] ?? 0) + 1
    return counts
  }, {})
  expect(Object.keys(states).sort()).toEqual(['CANCELLED', 'DONE', 'FAILED', 'SUPERSEDED'])
  expect(acknowledged.size).toBeGreaterThanOrEqual(14)
})

test.each(['fails', 'rolls-back', 'fails-for-long'] as const)('whichever statement %s', {
  timeout: 300_000,
}, async (kind) => {
  expect(await failEach(rigs, day, kind)).toBeGreaterThan(150)
})

test('of neighbours that are settled together, what somebody else has ended is left as it is', () => {
  rigs.withDatabase((database) => {
    const rig = new Rig(database)
    rig.enqueue({ payloads: ['1', '2', '3'] })
    rig.cycle()
    rig.dispatch()
    rig.begin()
    rig.steal(2)
    rig.end()
    rig.cycle()
    const states = database.prepare<[], string>('SELECT state FROM jobs ORDER BY seq').pluck().all()
    expect(states).toEqual(['DONE', 'CANCELLED', 'DONE'])
    expect(rig.settled.map(({ seq }) => seq)).toEqual([1, 3])
    expect(rig.claims.size).toBe(0)
  })
})

const damage = (where: string) => `CREATE TRIGGER damaged BEFORE UPDATE ON jobs WHEN OLD.${where}
  BEGIN SELECT RAISE(ABORT, 'damaged'); END`

test('a row that cannot be changed keeps no other of its message, nor of its dead thread, from its end', () => {
  rigs.withDatabase((database) => {
    const rig = new Rig(database)
    const read = () =>
      database.prepare<[], string>("SELECT state || ' ' || attempt FROM jobs ORDER BY seq").pluck().all()
    rig.enqueue({ payloads: ['1', '2', '3'] })
    rig.enqueue({ jobTypes: ['FAIL', 'OK', 'OK'], payloads: ['4', '5', '6'] })
    rig.cycle()
    rig.dispatch()
    rig.begin()
    database.exec(damage('seq IN (2, 4, 5)'))
    rig.end((seq) => seq <= 4)
    rig.die()
    rig.goOn(3)
    expect(read()).toEqual(['DONE 1', 'RUNNING 1', 'DONE 1', 'RUNNING 1', 'RUNNING 1', 'RUNNING 2'])
    expect([rig.claims.active, new Set(rig.unrecorded)]).toEqual([1, new Set([2, 4, 5])])

    database.exec('DROP TRIGGER damaged')
    rig.goOn(1)
    // What had ended is recorded, and what had not runs again.
    expect(read()).toEqual(['DONE 1', 'DONE 1', 'DONE 1', 'SCHEDULED 1', 'QUEUED 1', 'RUNNING 2'])
    rig.finish()
  })
})

test('a claim that is set aside takes no place, whatever is rolled back', () => {
  rigs.withDatabase((database) => {
    const rig = new Rig(database)
    const room = rig.claims.roomMs(1)
    rig.enqueue({ payloads: ['1', '2'] })
    rig.enqueue({ jobTypes: 'PROGRAM', payloads: ['3'] })
    rig.cycle()
    rig.dispatch()
    rig.begin()
    database.exec(damage("state = 'RUNNING'"))
    rig.end()
    rig.goOn(3)
    expect([rig.claims.size, rig.claims.active]).toEqual([3, 0])
    expect([rig.claims.roomMs(1), rig.claims.roomForPrograms(1)]).toEqual([room, 1])
    database.exec('DROP TRIGGER damaged')
    rig.finish()
    expect([rig.claims.size, rig.claims.active]).toEqual([0, 0])
    expect([rig.claims.roomMs(1), rig.claims.roomForPrograms(1)]).toEqual([room, 1])
  })
})

test('pages that cannot be read are the trouble of whoever needs them', () => {
  rigs.withDatabase((database) => {
    const rig = new Rig(database)
    const applied: string[] = []
    rig.request(() => applied.push('before'))
    const refused: unknown[] = []
    for (const reading of ['first', 'second']) {
      rig.request(
        () => {
          database.exec('ROLLBACK')
          throw Object.assign(new Error(reading), { code: 'SQLITE_IOERR_READ' })
        },
        (error, isAlone) => refused.push(error, isAlone),
      )
    }
    const own = rig.enqueue({ payloads: ['1'] })
    // What is refused ends a commit.
    for (let cycle = 0; cycle < 3; cycle++) rig.cycle()
    const failed = expect.objectContaining({ code: 'DATABASE_FAILED' })
    expect(refused).toEqual([failed, true, failed, true])
    expect([applied.length, own.seqs]).toEqual([3, [1]])
  })
})
