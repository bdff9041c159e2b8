/**
 * Does what the maintenance thread asks for: one request at a time, slice by slice, as the supervisor can spare
 * the time.
 *
 * After each slice there is a pause in proportion to it, by how busy the supervisor was with everything else in the
 * pause before. So maintenance takes the better part of what is left: all of the time of an idle engine, and little of
 * a busy one's, but never nothing, or the file would grow while there is much to do. Nor does it write while the
 * checkpointer is at work, since that would be left for the writer to move, or while many requests wait that the last cycle
 * had no time for: each slice would make them wait longer.
 */
import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import type { Clock, Timer } from '../clock.ts'
import { limits } from '../config.ts'
import { engineError } from '../errors.ts'
import type { PruneWriter } from '../store/prune-writer.ts'
import { notBegun, type SliceResult, Slices } from './maintenance-slice.ts'
import type { DatabaseSize } from './messages.ts'

export interface SliceSurroundings {
  readonly clock: Clock
  /** Runs `apply` in a transaction of its own; throws when it cannot be committed, and nothing of it is left. */
  runAlone(apply: () => void): void
  /** Whether what can wait may write now; the supervisor is woken once it may. */
  mayWriteMuch(): boolean
  /** A slice has been committed. */
  wrote(): void
  wake(): void
}

interface Work {
  /** Gives the end of the slice that begins at `from`. */
  readonly slice: (from: SliceResult, sliceMs: number) => SliceResult
  readonly done: (result: SliceResult & DatabaseSize) => void
  readonly refuse: (error: unknown) => void
}

/** How long a slice is put off: while much is written, the checkpointer may never be seen at rest, nor the mailbox empty. */
const longestHoldMs = 100
/** How much of the time that others leave is taken. Never all of it: in the pauses it is seen how busy they are. */
const shareOfSpare = 0.75

/** The part of its time that a supervisor gives which is busy with other things for this part of it. */
function shareFor(utilization: number): number {
  return Math.max(limits.maintenanceShare, (1 - utilization) * shareOfSpare)
}

export class MaintenanceWork {
  readonly slices: Slices
  readonly #writer: PruneWriter
  readonly #surroundings: SliceSurroundings
  #work: Work | undefined
  #result = notBegun
  #nextSliceAtMs = 0
  #timer: Timer | undefined
  #utilization: EventLoopUtilization = performance.eventLoopUtilization()

  constructor(writer: PruneWriter, surroundings: SliceSurroundings) {
    this.#writer = writer
    this.#surroundings = surroundings
    this.slices = new Slices(writer, surroundings.clock)
  }

  submit(work: Work): void {
    if (this.#work !== undefined) {
      work.refuse(
        engineError('OVERLOADED', { found: 'Maintenance asks before it is answered', action: 'Wait.' }),
      )
      return
    }
    this.#work = work
    this.#result = notBegun
    this.#surroundings.wake()
  }

  /** To be called after each cycle, outside of a transaction. */
  afterCycle(): void {
    const work = this.#work
    if (work === undefined) return
    const waitMs = this.#nextSliceAtMs - this.#surroundings.clock.monotonicMs()
    if (waitMs > 0) this.#wakeAfter(waitMs)
    else if (this.#surroundings.mayWriteMuch() || waitMs < -longestHoldMs) this.#slice(work)
    else this.#wakeAfter(longestHoldMs)
  }

  /** Nothing more is done. What is under way is refused. */
  stop(reason: Error): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#work?.refuse(reason)
    this.#work = undefined
  }

  #slice(work: Work): void {
    const { clock } = this.#surroundings
    const busy = performance.eventLoopUtilization(this.#utilization).utilization
    const startMs = clock.monotonicMs()
    let result = this.#result
    try {
      this.#surroundings.runAlone(() => {
        // From where the last commit left it, also when it is tried again.
        result = work.slice(this.#result, limits.maintenanceSliceMs)
      })
    } catch (error) {
      this.#work = undefined
      work.refuse(error)
      return
    }
    this.#result = result
    this.#surroundings.wrote()
    const endMs = clock.monotonicMs()
    this.#nextSliceAtMs = endMs + (endMs - startMs) * (1 / shareFor(busy) - 1)
    this.#utilization = performance.eventLoopUtilization()
    if (result.isDone) {
      this.#work = undefined
      work.done({ ...result, pages: this.#writer.pages, freePages: this.#writer.freePages })
    } else {
      this.#wakeAfter(this.#nextSliceAtMs - endMs)
    }
  }

  #wakeAfter(delayMs: number): void {
    if (this.#timer !== undefined) return
    this.#timer = this.#surroundings.clock.startTimer(delayMs, () => {
      this.#timer = undefined
      this.#surroundings.wake()
    })
  }
}
