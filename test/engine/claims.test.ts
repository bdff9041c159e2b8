import { MessageChannel } from 'node:worker_threads'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { createOutbox } from '../../src/execution/outbox.ts'
import { toJobSeq } from '../../src/job/id.ts'
import { decodeRanges } from '../../src/store/ranges.ts'
import { DispatchedBatch } from '../../src/supervisor/batch.ts'
import { type Claim, Claims } from '../../src/supervisor/claims.ts'
import { JobType } from '../../src/supervisor/job-types.ts'
import { PoolThread } from '../../src/supervisor/pool-thread.ts'

const { port1, port2 } = new MessageChannel()
afterAll(() => {
  port1.close()
  port2.close()
})
const thread = new PoolThread(1, port1, createOutbox())
const jobType = new JobType('ANY', {})

const plain = {
  queue: 'default',
  priority: 0,
  payload: 'null',
  createdAt: 0,
  attempt: 1,
  failures: 0,
  suspicion: 0,
  subjectKey: null,
  generation: null,
  traceparent: null,
}

/** What the claims should be, as plain as can be. */
interface Expected {
  readonly places: Map<number, 'made' | 'ready' | 'held' | 'waiting' | 'started'>
  readonly fates: Map<number, number | null>
}

function copy({ places, fates }: Expected): Expected {
  return { places: new Map(places), fates: new Map(fates) }
}

type PickedStep = 'hold' | 'end' | 'hold-and-end' | 'doom' | 'take-back' | 'set-aside'

type Step =
  | { readonly kind: 'make'; readonly suspicion: 0 | 1 }
  | { readonly kind: PickedStep; readonly pick: number }
  | { readonly kind: 'dispatch'; readonly jobs: number; readonly started: number }
  | { readonly kind: 'savepoint' | 'savepoint-rollback' | 'commit' }
  | { readonly kind: 'rollback'; readonly atCommit: boolean }

const pick = fc.nat(1_000)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('make' as const), suspicion: fc.constantFrom(0, 0, 0, 1) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('hold' as const, 'end', 'hold-and-end', 'doom', 'take-back', 'set-aside'),
      pick,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('dispatch' as const),
      jobs: fc.integer({ min: 1, max: 5 }),
      started: fc.nat(5),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('savepoint' as const, 'savepoint-rollback', 'commit') }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('rollback' as const), atCommit: fc.boolean() }),
  },
)

/** Few may begin at a time, so that many a run has more. */
const settings = { threads: 2, clearedPerThread: 2 }

class Rig {
  readonly claims = new Claims(settings)
  /** What the last commit says has not begun. */
  #uncleared: [first: number, last: number][] = []
  expected: Expected = { places: new Map(), fates: new Map() }
  #lastSeq = 0
  #lastBatch = 0
  readonly #setAside = new Set<number>()
  #begin = copy(this.expected)
  #savepoint: { readonly mark: number; readonly expected: Expected } | undefined
  #isOpen = false

  run(step: Step): void {
    switch (step.kind) {
      case 'make':
        this.#isOpen = true
        this.#make(step.suspicion)
        return
      case 'dispatch':
        // Only between transactions, as the supervisor does.
        if (!this.#isOpen) this.dispatch(step.jobs, step.started)
        return
      case 'savepoint':
        this.#isOpen = true
        this.#savepoint = { mark: this.claims.mark(), expected: copy(this.expected) }
        return
      case 'savepoint-rollback':
        if (this.#savepoint === undefined) return
        this.claims.rollbackTo(this.#savepoint.mark)
        this.#return(this.#savepoint.expected)
        this.#savepoint = undefined
        return
      case 'rollback':
        // As where it is the commit that fails.
        if (step.atCommit) this.claims.clear()
        this.claims.rollbackTo(0)
        this.#return(this.#begin)
        this.#close()
        return
      case 'commit':
        this.commit()
        return
      default:
        this.#change(step.kind, step.pick)
        return
    }
  }

  commit(): void {
    this.claims.clear()
    this.#uncleared = decodeRanges(this.claims.uncleared())
    this.claims.committed()
    for (const [seq, place] of this.expected.places) {
      if (place === 'made' || place === 'held') this.expected.places.set(seq, 'ready')
    }
    this.#close()
  }

  dispatch(jobs: number, started: number): Claim[] {
    const taken: Claim[] = []
    const suspect = this.claims.ready.takeSuspect()
    if (suspect !== undefined) taken.push(suspect)
    while (suspect === undefined && taken.length < jobs && this.claims.ready.peek() !== undefined) {
      taken.push(this.claims.ready.take())
    }
    expect(new Set(taken).size).toBe(taken.length)
    if (taken.length === 0) return taken
    const batch = new DispatchedBatch(++this.#lastBatch, thread, taken)
    for (const [index, claim] of taken.entries()) {
      expect(this.expected.places.get(claim.seq)).toBe('ready')
      expect(this.#hasNotBegun(claim)).toBe(false)
      const begins = index < started
      if (begins) batch.control.start(index, 1)
      this.expected.places.set(claim.seq, begins ? 'started' : 'waiting')
    }
    this.#begin = copy(this.expected)
    return taken
  }

  /** What must always be true. */
  check(): void {
    expect([...this.claims.all()].map((claim) => claim.seq).sort((one, other) => one - other)).toEqual(
      [...this.expected.places.keys()].sort((one, other) => one - other),
    )
    const active = [...this.expected.places.keys()].filter((seq) => !this.#setAside.has(seq))
    expect(this.claims.active).toBe(active.length)
    for (const claim of this.claims.all()) {
      expect(claim.fate.supersededBy).toBe(this.expected.fates.get(claim.seq) ?? null)
      expect(this.claims.isWaiting(claim)).toBe(this.expected.places.get(claim.seq) !== 'started')
      // Between transactions a thread may take it.
      if (!this.#isOpen && claim.isCleared) expect(this.#hasNotBegun(claim)).toBe(false)
    }
  }

  /** Whether the last commit says so. */
  #hasNotBegun({ seq }: Claim): boolean {
    return this.#uncleared.some(([first, last]) => seq >= first && seq <= last)
  }

  #make(suspicion: number): void {
    // Two to a block of those that commits tell apart.
    this.#lastSeq += 128
    const seq = toJobSeq(this.#lastSeq)
    this.claims.make({ ...plain, seq, suspicion }, jobType, undefined)
    this.expected.places.set(seq, 'made')
  }

  #change(kind: PickedStep, pick: number): void {
    const all = [...this.claims.all()]
    const claim = all[pick % Math.max(1, all.length)]
    if (claim === undefined) return
    const { places, fates } = this.expected
    if (kind === 'take-back') {
      // As when a thread is stuck: outside of a transaction.
      if (this.#isOpen || places.get(claim.seq) !== 'waiting' || claim.batch === undefined) return
      const taken = claim.batch.takeBackWaiting()
      for (const { seq } of taken) places.set(seq, 'ready')
      this.claims.giveBack(taken)
      this.#begin = copy(this.expected)
      return
    }
    if (kind === 'set-aside') {
      // Whatever is rolled back.
      if (places.get(claim.seq) !== 'started') return
      this.claims.setAside(claim)
      this.#setAside.add(claim.seq)
      return
    }
    this.#isOpen = true
    if (kind === 'doom') {
      this.claims.doom(claim, { supersededBy: toJobSeq(pick + 1) })
      fates.set(claim.seq, pick + 1)
      return
    }
    const hasBegun = places.get(claim.seq) === 'started'
    if (kind !== 'end') expect(this.claims.hold(claim)).toBe(!hasBegun)
    if (kind !== 'end' && !hasBegun) places.set(claim.seq, 'held')
    if (kind === 'hold') return
    this.claims.end(claim)
    places.delete(claim.seq)
    fates.delete(claim.seq)
  }

  /** A rollback brings all back, but what was taken back from a thread is ready now, since memory cannot undo it. */
  #return(to: Expected): void {
    this.expected = copy(to)
    for (const [seq, place] of to.places) {
      const claim = this.claims.get(seq)
      if (place === 'waiting' && claim?.batch?.control.isWaiting(claim.index) !== true) {
        this.expected.places.set(seq, 'ready')
      }
    }
  }

  #close(): void {
    this.#begin = copy(this.expected)
    this.#savepoint = undefined
    this.#isOpen = false
  }
}

test('claims follow the transactions that they belong to, and none is given out twice', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: '+1' }), (steps) => {
      const rig = new Rig()
      const room = rig.claims.roomMs(2)
      for (const one of steps) {
        rig.run(one)
        rig.check()
      }
      rig.commit()
      rig.check()
      const ready = [...rig.expected.places].filter(([, place]) => place === 'ready').map(([seq]) => seq)
      const given: number[] = []
      do {
        if (rig.claims.ready.needsCommit) rig.commit()
        for (let taken = rig.dispatch(3, 0); taken.length > 0; taken = rig.dispatch(3, 0)) {
          given.push(...taken.map(({ seq }) => seq))
        }
      } while (rig.claims.ready.needsCommit)
      expect(given.sort((one, other) => one - other)).toEqual(ready.sort((one, other) => one - other))
      for (const claim of [...rig.claims.all()]) rig.claims.end(claim)
      rig.claims.committed()
      expect([rig.claims.size, rig.claims.roomMs(2)]).toEqual([0, room])
    }),
    { numRuns: 1_000 },
  )
})

test('claims that are set aside take no place, but more than a thousand of them leave none', () => {
  const claims = new Claims()
  const rooms: number[] = []
  for (let seq = 1; seq <= 1_000; seq++) {
    claims.make({ ...plain, seq: toJobSeq(seq) }, jobType, undefined)
    const claim = claims.get(seq)
    if (claim !== undefined) claims.setAside(claim)
    rooms.push(claims.roomMs(1), claims.roomForPrograms(1))
  }
  const [roomMs, programs] = [new Claims().roomMs(1), 1]
  expect(rooms).toEqual([...Array.from({ length: 999 }, () => [roomMs, programs]).flat(), 0, 0])
})

test('what is ready goes by priority, and then in its order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -2, max: 2 }), { maxLength: 30 }), (priorities) => {
      const claims = new Claims()
      for (const [index, priority] of priorities.entries()) {
        claims.make({ ...plain, seq: toJobSeq(index + 1), priority }, jobType, undefined)
        if (index % 7 === 0) claims.committed()
      }
      claims.committed()
      const order: number[] = []
      while (claims.ready.peek() !== undefined) {
        const claim = claims.ready.take()
        claim.place = 'dispatched'
        order.push(claim.seq)
      }
      const sorted = priorities
        .map((priority, index) => ({ priority, seq: index + 1 }))
        .sort((one, other) => other.priority - one.priority || one.seq - other.seq)
      expect(order).toEqual(sorted.map(({ seq }) => seq))
    }),
  )
})
