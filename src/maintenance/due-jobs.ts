/** How jobs that are to be deleted are put together, so that few statements do it. Pure. */
import type { ExpiryTimes } from '../job/expiration.ts'
import type { FinishedRow } from '../store/job-walk.ts'
import type { PruneItem } from '../supervisor/messages.ts'

/** Gathers jobs, in the order of their numbers. Neighbours that ended alike become one item. */
export class PruneItems {
  #items: PruneItem[] = []
  #jobs = 0

  get jobs(): number {
    return this.#jobs
  }

  get size(): number {
    return this.#items.length
  }

  /** @param finishedBy what the deletion looks at again */
  add(row: FinishedRow, finishedBy: number): void {
    this.#jobs++
    const { seq, state, queue, subjectKey } = row
    const times = row.policy === null ? undefined : timesOf(row.policy)
    const last = this.#items.at(-1)
    const isAlone = subjectKey !== null || times !== undefined
    const continues =
      !isAlone &&
      last?.state === state &&
      last.queue === queue &&
      last.finishedBy === finishedBy &&
      last.subjectKey === null &&
      last.times === undefined &&
      this.#wasLast(last.last, seq)
    if (continues) this.#items[this.#items.length - 1] = { ...last, last: seq }
    else this.#items.push({ first: seq, last: seq, state, queue, finishedBy, subjectKey, times })
    this.#passed = seq
  }

  /** To be called with each row that stays, so that no item reaches over it. */
  pass(seq: number): void {
    this.#passed = seq
  }

  take(): readonly PruneItem[] {
    const items = this.#items
    this.#items = []
    this.#jobs = 0
    return items
  }

  /** The number of the row that was seen last. Numbers without a row may lie within an item: nothing is there to delete. */
  #passed = 0

  #wasLast(last: number, seq: number): boolean {
    return this.#passed === last && last < seq
  }
}

function timesOf(policy: string): ExpiryTimes | undefined {
  // The boundary: nothing else is written to this column.
  const { deadline, ttlEndsAt } = JSON.parse(policy) as ExpiryTimes
  if (deadline === undefined && ttlEndsAt === undefined) return undefined
  return {
    ...(deadline === undefined ? {} : { deadline }),
    ...(ttlEndsAt === undefined ? {} : { ttlEndsAt }),
  }
}
