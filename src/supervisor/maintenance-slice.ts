/**
 * What one slice of maintenance changes: some of what was asked for, in small steps, for so long. A slice is a
 * transaction of its own, so that nobody's commit waits for it, or fails with it.
 *
 * Deleting and giving pages back take turns: while few pages are free the next one is found at once, among many it has
 * to be looked for.
 */
import type { Clock } from '../clock.ts'
import { toJobSeq } from '../job/id.ts'
import type { PruneWriter } from '../store/prune-writer.ts'
import type { PruneItem, PruneRequest } from './messages.ts'
import { StepSize } from './step-size.ts'

/** How far the work has come. */
export interface SliceResult {
  /** The item that comes next, and the number in it. */
  readonly index: number
  readonly seq: number
  readonly deletedJobs: number
  readonly vacuumedPages: number
  /** False: a step gave back nothing of what is free. The file may have been made so by somebody else. */
  readonly givesBack: boolean
  readonly isDone: boolean
}

export const notBegun: SliceResult = {
  index: 0,
  seq: 0,
  deletedJobs: 0,
  vacuumedPages: 0,
  givesBack: true,
  isDone: false,
}

/** Pages that may be free before the next ones are given back. */
const freePagesKept = 128

export class Slices {
  readonly #writer: PruneWriter
  readonly #clock: Clock
  readonly #rows = new StepSize({ least: 4, first: 100, most: 5_000 })
  readonly #pages = new StepSize({ least: 4, first: 32, most: 1_024 })

  constructor(writer: PruneWriter, clock: Clock) {
    this.#writer = writer
    this.#clock = clock
  }

  /** Goes on with deleting, for about `sliceMs`. */
  prune({ items, compacts }: PruneRequest, from: SliceResult, sliceMs: number): SliceResult {
    let { index, seq, deletedJobs, vacuumedPages, givesBack } = from
    const endMs = this.#clock.monotonicMs() + sliceMs
    let nowMs = endMs - sliceMs
    while (nowMs < endMs) {
      const isVacuum = compacts && givesBack && this.#writer.freePages > freePagesKept
      if (isVacuum) {
        const done = this.#vacuumStep(this.#pages.size)
        vacuumedPages += done
        givesBack = done > 0
      } else {
        const step = this.#pruneStep(items, index, seq)
        if (step === undefined) break
        index = step.index
        seq = step.seq
        deletedJobs += step.deletedJobs
      }
      const afterMs = this.#clock.monotonicMs()
      if (isVacuum) this.#pages.took(afterMs - nowMs)
      else this.#rows.took(afterMs - nowMs)
      nowMs = afterMs
    }
    return { index, seq, deletedJobs, vacuumedPages, givesBack, isDone: index >= items.length }
  }

  /** Goes on with giving back free pages, for about `sliceMs`. */
  compact(pages: number, from: SliceResult, sliceMs: number): SliceResult {
    let { vacuumedPages } = from
    let isDone = false
    const endMs = this.#clock.monotonicMs() + sliceMs
    let nowMs = endMs - sliceMs
    while (nowMs < endMs && !isDone) {
      const left = Math.min(this.#pages.size, pages - vacuumedPages)
      const done = left > 0 ? this.#vacuumStep(left) : 0
      vacuumedPages += done
      isDone = done === 0 || this.#writer.freePages === 0
      const afterMs = this.#clock.monotonicMs()
      this.#pages.took(afterMs - nowMs)
      nowMs = afterMs
    }
    return { ...from, vacuumedPages, isDone }
  }

  #vacuumStep(pages: number): number {
    const before = this.#writer.pages
    this.#writer.vacuum(pages)
    return Math.max(0, before - this.#writer.pages)
  }

  /** Deletes some of the items, from `seq` of the one at `from`. Undefined: there are none. */
  #pruneStep(
    items: readonly PruneItem[],
    from: number,
    seq: number,
  ): Pick<SliceResult, 'index' | 'seq' | 'deletedJobs'> | undefined {
    let index = from
    let item = items[index]
    if (item === undefined) return undefined
    const first = Math.max(item.first, seq)
    // Numbers between the items count too: what hangs on the jobs that stay there is read when it is looked for.
    const end = first + this.#rows.size - 1
    let next = first
    let deletedJobs = 0
    while (item !== undefined && item.first <= end && next <= end) {
      const start = Math.max(item.first, next)
      const last = Math.min(item.last, end)
      deletedJobs += this.#delete(item, start, last)
      next = last + 1
      if (last === item.last) {
        index++
        item = items[index]
      }
    }
    this.#writer.dependentsDelete(first, next - 1)
    return { index, seq: next, deletedJobs }
  }

  #delete(item: PruneItem, first: number, last: number): number {
    const run = { ...item, first, last }
    if (item.subjectKey === null) {
      const deleted = this.#writer.jobsDelete(run)
      if (deleted > 0 && item.times !== undefined) this.#writer.timesDelete(toJobSeq(first), item.times)
      return deleted
    }
    if (!this.#writer.jobOfSubjectDelete(run, item.subjectKey)) return 0
    if (item.times !== undefined) this.#writer.timesDelete(toJobSeq(first), item.times)
    return 1
  }
}
