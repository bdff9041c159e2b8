/**
 * Has what is traced in one pool thread exported: once a second while it runs batches, and before it ends. The thread would
 * not do it by itself, since it sleeps between batches.
 */
import { withinMs } from '../clock.ts'

/** How long a thread that is about to end is given for it. */
const lastFlushMs = 2_000

/** Submits the task to the thread. */
export type Flush = (isLast: boolean) => Promise<unknown>

export class SpanFlush {
  #isUnderway = false
  /** A batch has ended since the last flush began. */
  #isWanted = false

  /** @param mayHoldSpans whether the thread has an SDK: nearly always not */
  afterBatch(mayHoldSpans: boolean, flush: Flush): void {
    if (!mayHoldSpans) return
    this.#isWanted = true
    if (!this.#isUnderway) void this.#keepFlushing(flush)
  }

  /** Whether the thread may have something that is not exported. */
  get mayBeHeld(): boolean {
    return this.#isWanted || this.#isUnderway
  }

  /** Resolves when all is exported, or cannot be. */
  async last(flush: Flush): Promise<void> {
    if (this.mayBeHeld) await withinMs(flush(true), lastFlushMs).catch(() => {})
  }

  async #keepFlushing(flush: Flush): Promise<void> {
    this.#isUnderway = true
    try {
      while (this.#isWanted) {
        this.#isWanted = false
        await flush(false)
      }
    } catch {
      // The thread has died: what ends with it is seen to elsewhere.
    } finally {
      this.#isUnderway = false
    }
  }
}
