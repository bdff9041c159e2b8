/** A pool thread as the supervisor sees it, and what it has to say. */
import type { MessagePort } from 'node:worker_threads'
import type {
  AttemptEnd,
  AttemptNews,
  LateThrow,
  LogFailure,
  Outcomes,
  ThreadNotice,
} from '../execution/messages.ts'
import { OutboxReader } from '../execution/outbox.ts'
import type { DeathCause } from '../job/failure-cause.ts'
import type { DispatchedBatch } from './batch.ts'
import type { Claim } from './claims.ts'
import { SpanFlush } from './span-flush.ts'

export interface PoolListener {
  /** A thread takes batches from now on. */
  onReady(thread: PoolThread): void
  onOutcomes(thread: PoolThread, outcomes: Outcomes): void
  /** The thread has run the batch to its end; its last outcomes. */
  onBatchEnd(thread: PoolThread, batch: DispatchedBatch, outcomes: Outcomes): void
  /** Something threw where nobody could catch it: the thread is about to end, or gets nothing new until it is ended. */
  onLateThrow(thread: PoolThread, late: LateThrow): void
  /** What handlers have left behind while they run. */
  onNews(attempts: readonly AttemptNews[]): void
  onLogFailure(failure: LogFailure): void
  /** Everything that the thread had sent has been given to `onOutcomes` before. */
  onDied(thread: PoolThread, death: ThreadDeath): void
  /** New threads fail again and again before they are ready; no more are started. */
  onGaveUp(error: Error): void
}

export interface ThreadDeath {
  readonly cause: DeathCause
  readonly error: Error
  readonly blame: Blame
}

/**
 * Who may be the cause of a death: one of the handlers that ran then, none of them, or any that ever ran there. Unowned: the
 * modules rather than a handler, unless it follows one from thread to thread.
 */
export type Blame = 'running' | 'none' | 'unclear' | 'unowned'

/** One pool thread, from its greeting to its death. */
export class PoolThread {
  readonly threadId: number
  readonly port: MessagePort
  readonly batches: DispatchedBatch[] = []
  readonly spans = new SpanFlush()
  /** How jobs end that have failed while their handlers go on: with these, or with the thread. */
  readonly heldEnds = new Map<Claim, AttemptEnd>()
  readonly #outbox: OutboxReader
  state: 'greeting' | 'ready' | 'ending' | 'dead' = 'greeting'
  /** It ends because it has done enough, and not for a job that runs in it. */
  isRetired = false
  /** It was ended by force: how it died says nothing. */
  isEnded = false
  /** Why it was ended, where it was not for a handler that runs. */
  endedFor: Error | undefined
  /** Who is the cause, should it end by itself. */
  blame: Blame = 'running'
  jobsRun = 0
  /** It was asked for a sign of life, and has not given it. */
  owesSign = false

  constructor(threadId: number, port: MessagePort, outbox: SharedArrayBuffer) {
    this.threadId = threadId
    this.port = port
    this.#outbox = new OutboxReader(outbox)
  }

  /** Takes what the thread has laid down, by batch. */
  collect(): Outcomes[] {
    return this.#outbox.collect()
  }

  /** Whether it has laid down what nobody can read. */
  get isCorrupt(): boolean {
    return this.#outbox.foundJunk
  }

  remove(batch: DispatchedBatch): void {
    const place = this.batches.indexOf(batch)
    if (place !== -1) this.batches.splice(place, 1)
  }

  askForSign(): void {
    if (this.owesSign) return
    this.owesSign = true
    this.notify({ kind: 'give-sign' })
  }

  notify(notice: ThreadNotice, transfer: readonly MessagePort[] = []): void {
    if (this.state !== 'dead') this.port.postMessage(notice, transfer)
  }
}
