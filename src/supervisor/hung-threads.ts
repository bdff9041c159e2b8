/**
 * Finds threads that go on with nothing although they have something to go on with: a handler has returned, and has left
 * behind what keeps the thread for itself, such as a promise that nobody awaits and that loops. No time limit is exceeded
 * then, since nothing has begun, and no batch is answered.
 *
 *   moving ──nothing begins or ends for a while──► still ──for some seconds──► hung
 *      ▲───────────something begins or ends──────────┘
 *
 * A thread in which nothing runs but programs need not begin or end anything for hours: it is asked for a sign of life now
 * and then, and stands still until it gives that. Where a handler runs it is not asked, since that may well keep its
 * thread for itself.
 *
 * Looks are counted too, not time alone: after the machine has slept, everybody is late.
 */
import { limits } from '../config.ts'
import type { DispatchedBatch } from './batch.ts'
import type { PoolThread } from './pool-thread.ts'

interface Standstill {
  /** What the thread had at the first look, and how many jobs of that had ended: while that is so, it stands still. */
  readonly batches: readonly DispatchedBatch[]
  readonly ended: number
  /** Nothing ran there but programs: it goes on once it gives a sign of life. */
  readonly isAsked: boolean
  readonly sinceMs: number
  looks: number
}

export class HungThreads {
  readonly #standstills = new Map<PoolThread, Standstill>()

  /** Whether it should be given nothing for now, and what waits there be taken back. */
  isStill(thread: PoolThread): boolean {
    return (this.#standstills.get(thread)?.looks ?? 0) >= limits.stillLooks
  }

  /** Comes with each look at the threads. Gives those that are hung; each is told once. */
  look(threads: readonly PoolThread[], nowMs: number): readonly PoolThread[] {
    for (const thread of this.#standstills.keys())
      if (!threads.includes(thread)) this.#standstills.delete(thread)
    return threads.filter((thread) => this.#isHung(thread, nowMs))
  }

  #isHung(thread: PoolThread, nowMs: number): boolean {
    const batches = thread.batches.filter((batch) => !batch.isOnlyPrograms)
    const isEmpty = thread.batches.length === 0
    if (thread.isEnded || isEmpty || batches.some((batch) => batch.startedWork().length > 0)) {
      this.#standstills.delete(thread)
      return false
    }
    const known = this.#standstills.get(thread)
    if (known === undefined || goesOn(known, thread, batches)) {
      // One that has just given a sign is not asked again at once.
      if (known?.isAsked && batches.length === 0 && nowMs - known.sinceMs < limits.signEveryMs) {
        known.looks = 0
        return false
      }
      const isAsked = batches.length === 0
      if (isAsked) thread.askForSign()
      this.#standstills.set(thread, { batches, ended: endedOf(batches), isAsked, sinceMs: nowMs, looks: 0 })
      return false
    }
    known.looks++
    return known.looks >= limits.hungLooks && nowMs - known.sinceMs >= limits.hungAfterMs
  }
}

/** One that was given more meanwhile stands still all the same; one that has answered does not. */
function goesOn(known: Standstill, thread: PoolThread, batches: readonly DispatchedBatch[]): boolean {
  if (known.isAsked) return !thread.owesSign
  return !known.batches.every((batch) => batches.includes(batch)) || endedOf(known.batches) > known.ended
}

function endedOf(batches: readonly DispatchedBatch[]): number {
  return batches.reduce((sum, batch) => sum + batch.ended(), 0)
}
