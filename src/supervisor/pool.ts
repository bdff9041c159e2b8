/**
 * The pool threads: the only place that knows Piscina.
 *
 * A thread is greeted before it is given batches: it loads the job modules and gets its ports, which reach an idle
 * thread only inside a task. Piscina's own queue stays empty: each task is aimed at one thread, which has room for it.
 *
 * A thread may die at any time (a handler called process.exit, ran out of heap, threw later). Piscina then rejects the
 * thread's tasks and starts another thread, unless one ever died before it was ready: then it silently stops doing so
 * for good. So the number of threads is compared with what it should be, and what is missing comes as a further pool.
 */

import { fileURLToPath } from 'node:url'
import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { defaultRestartBudget, RestartHistory } from '../actor/supervision.ts'
import { threadEntryUrl, threadExecOptions } from '../actor/thread.ts'
import { type Clock, withinMs } from '../clock.ts'
import { assert, engineError, fromPlainError, unreachable } from '../errors.ts'
import type {
  GreetReply,
  GreetTask,
  Outcomes,
  PoolTask,
  ThreadMessage,
  ThreadNotice,
} from '../execution/messages.ts'
import { createOutbox, OutboxReader } from '../execution/outbox.ts'
import type { DispatchedBatch } from './batch.ts'

/** Batches that a thread may have at a time. Beyond two they are for handlers that wait and overlap. */
export const batchesAtOnce = 8

/** A thread in native code cannot be ended: after this wait it is written off, and ends when the call returns. */
const writeOffMs = 1_000

export interface PoolSettings {
  readonly threads: number
  readonly databaseId: string
  readonly moduleUrls: readonly string[]
  /** The types that these modules must serve in a thread. */
  readonly jobTypes: readonly string[]
  readonly setupUrl: string | undefined
  /** Fresh ports to the actors, for one thread. */
  connectActors(): Readonly<Record<string, MessagePort>>
}

export interface PoolListener {
  /** A thread takes batches from now on. */
  onReady(thread: PoolThread): void
  onOutcomes(thread: PoolThread, outcomes: Outcomes): void
  /** The thread has run the batch to its end; its last outcomes. */
  onBatchEnd(thread: PoolThread, batch: DispatchedBatch, outcomes: Outcomes): void
  /** Everything that the thread had sent has been given to `onOutcomes` before. */
  onDied(thread: PoolThread, error: Error): void
  /** New threads fail again and again before they are ready; no more are started. */
  onGaveUp(error: Error): void
}

/** One pool thread, from its greeting to its death. */
export class PoolThread {
  readonly threadId: number
  readonly port: MessagePort
  readonly batches: DispatchedBatch[] = []
  readonly #outbox: OutboxReader
  state: 'greeting' | 'ready' | 'dead' = 'greeting'

  constructor(threadId: number, port: MessagePort, outbox: SharedArrayBuffer) {
    this.threadId = threadId
    this.port = port
    this.#outbox = new OutboxReader(outbox)
  }

  /** Takes what the thread has laid down, by batch. */
  collect(): Outcomes[] {
    return this.#outbox.collect()
  }

  notify(notice: ThreadNotice, transfer: readonly MessagePort[] = []): void {
    if (this.state !== 'dead') this.port.postMessage(notice, transfer)
  }
}

export class Pool {
  readonly #settings: PoolSettings
  readonly #listener: PoolListener
  readonly #threads = new Map<number, PoolThread>()
  readonly #pools: Piscina<PoolTask, GreetReply | Outcomes>[] = []
  /** The thread that the task being submitted is meant for: Piscina asks its balancer at once. */
  #target = 0
  #closing = false
  #isStarted = false
  readonly #failures = new RestartHistory(defaultRestartBudget)
  readonly #clock: Clock
  #started: PromiseWithResolvers<void> | undefined

  constructor(settings: PoolSettings, clock: Clock, listener: PoolListener) {
    this.#settings = settings
    this.#clock = clock
    this.#listener = listener
  }

  /**
   * Resolves when every thread is ready.
   *
   * @throws what loading the modules threw in a thread (JOBS_MODULE_INVALID), or START_FAILED
   */
  async start(): Promise<void> {
    this.#started = Promise.withResolvers()
    this.#addThreads(this.#settings.threads)
    await this.#started.promise
    this.#isStarted = true
  }

  /** Threads that take batches, or will. */
  living(): PoolThread[] {
    return [...this.#threads.values()]
  }

  /** Threads that take batches. */
  ready(): PoolThread[] {
    return [...this.#threads.values()].filter((thread) => thread.state === 'ready')
  }

  run(thread: PoolThread, batch: DispatchedBatch): void {
    thread.batches.push(batch)
    this.#submit(thread.threadId, batch.task(), []).then(
      (reply) => {
        // What the thread sent before the reply may not have been delivered yet: it took another way.
        this.#drain(thread)
        removeBatch(thread, batch)
        assert('batch' in reply, 'a batch is answered with outcomes')
        this.#listener.onBatchEnd(thread, batch, reply)
      },
      (error: unknown) => this.#died(thread, error),
    )
  }

  /** Gives what the thread has laid down to `onOutcomes`. */
  collect(thread: PoolThread): void {
    for (const outcomes of thread.collect()) this.#listener.onOutcomes(thread, outcomes)
  }

  /** Ends a thread by force; `onDied` follows. */
  async end(thread: PoolThread): Promise<void> {
    const worker = this.#workerOf(thread.threadId)
    if (worker !== undefined) await withinMs(worker.terminate(), writeOffMs)
  }

  /** Ends all threads. None of them may have work left that anybody waits for. */
  async close(): Promise<void> {
    this.#closing = true
    for (const thread of this.#threads.values()) {
      thread.state = 'dead'
      thread.port.close()
    }
    this.#threads.clear()
    await withinMs(Promise.all(this.#pools.map((pool) => pool.destroy())), writeOffMs)
  }

  #addThreads(count: number): void {
    const pool = new Piscina<PoolTask, GreetReply | Outcomes>({
      ...threadExecOptions(),
      filename: fileURLToPath(threadEntryUrl('pool-thread')),
      minThreads: count,
      maxThreads: count,
      concurrentTasksPerWorker: batchesAtOnce,
      maxQueue: 0,
      recordTiming: false,
      workerHistogram: false,
      loadBalancer: (_task, workers) => workers.find((worker) => worker.id === this.#target) ?? null,
    })
    this.#pools.push(pool)
    pool.on('workerCreate', (worker: { readonly id: number }) => void this.#greet(worker.id))
    // A thread that died without a task: its death is handled here or by what waited for it, whichever comes first.
    pool.on('error', (error: Error) => this.#findDead(error))
    pool.on('workerDestroy', () => this.#findDead(new Error('The thread ended')))
  }

  async #greet(threadId: number): Promise<void> {
    if (this.#closing) return
    const channel = new MessageChannel()
    const outbox = createOutbox()
    const thread = new PoolThread(threadId, channel.port1, outbox)
    this.#threads.set(threadId, thread)
    const actorPorts = this.#settings.connectActors()
    const task: GreetTask = {
      kind: 'greet',
      databaseId: this.#settings.databaseId,
      moduleUrls: this.#settings.moduleUrls,
      setupUrl: this.#settings.setupUrl,
      port: channel.port2,
      outbox,
      actorPorts,
    }
    let reply: GreetReply | Outcomes
    try {
      reply = await this.#submit(threadId, task, [channel.port2, ...Object.values(actorPorts)])
    } catch (error) {
      this.#died(thread, error)
      return
    }
    if (this.#closing || !('kind' in reply)) return
    if (reply.kind === 'failed') {
      this.#forget(thread)
      this.#greetingFailed(fromPlainError(reply.error))
      // Piscina starts another one in its place.
      await this.end(thread)
      return
    }
    const unserved = this.#settings.jobTypes.filter((type) => !reply.jobTypes.includes(type))
    if (unserved.length > 0) {
      this.#forget(thread)
      this.#greetingFailed(notServed(unserved))
      await this.end(thread)
      return
    }
    thread.state = 'ready'
    thread.port.on('message', (message: ThreadMessage) => this.#heed(thread, message))
    thread.port.unref()
    if (this.ready().length === this.#settings.threads) this.#started?.resolve()
    this.#listener.onReady(thread)
  }

  #submit(
    threadId: number,
    task: PoolTask,
    transferList: readonly MessagePort[],
  ): Promise<GreetReply | Outcomes> {
    const pool = this.#pools.find((candidate) =>
      candidate.threads.some((worker) => worker.threadId === threadId),
    )
    if (pool === undefined) return Promise.reject(new Error(`Thread ${threadId} is gone`))
    this.#target = threadId
    return pool.run(task, { transferList: [...transferList] })
  }

  #workerOf(threadId: number): Worker | undefined {
    return this.#pools.flatMap((pool) => pool.threads).find((worker) => worker.threadId === threadId)
  }

  #heed(thread: PoolThread, message: ThreadMessage): void {
    this.collect(thread)
    switch (message.kind) {
      case 'outcomes':
        this.#listener.onOutcomes(thread, message)
        return
      case 'look-into-outbox':
        return
      default:
        unreachable(message)
    }
  }

  #drain(thread: PoolThread): void {
    this.collect(thread)
    for (
      let entry = receiveMessageOnPort(thread.port);
      entry !== undefined;
      entry = receiveMessageOnPort(thread.port)
    ) {
      this.#heed(thread, entry.message as ThreadMessage)
    }
  }

  #forget(thread: PoolThread): void {
    thread.state = 'dead'
    thread.port.close()
    this.#threads.delete(thread.threadId)
  }

  #findDead(error: Error): void {
    for (const thread of this.#threads.values()) {
      if (this.#workerOf(thread.threadId) === undefined) this.#died(thread, error)
    }
  }

  /** At the start one failure is enough. Later ones are tried again, but not for ever. */
  #greetingFailed(error: Error): void {
    this.#started?.reject(error)
    if (!this.#isStarted || this.#closing || this.#failures.next(this.#clock.monotonicMs()) !== 'give-up')
      return
    this.#closing = true
    this.#listener.onGaveUp(error)
  }

  #died(thread: PoolThread, error: unknown): void {
    if (thread.state === 'dead' || this.#closing) return
    const wasReady = thread.state === 'ready'
    if (wasReady) this.#drain(thread)
    this.#forget(thread)
    // A batch that failed as a whole is a fault of ours; its thread lives, and must not go on with the others.
    void this.end(thread)
    const cause = error instanceof Error ? error : new Error(String(error))
    if (!wasReady) {
      this.#greetingFailed(
        engineError('START_FAILED', {
          found: `A pool thread died before it was ready: ${cause.message}`,
          action: 'Import the jobs module by itself to see what ends the thread.',
          cause,
        }),
      )
    }
    if (this.#closing) return
    this.#listener.onDied(thread, cause)
    const missing = this.#settings.threads - this.#pools.reduce((sum, pool) => sum + pool.threads.length, 0)
    if (missing > 0) this.#addThreads(missing)
  }
}

function removeBatch(thread: PoolThread, batch: DispatchedBatch): void {
  const place = thread.batches.indexOf(batch)
  if (place !== -1) thread.batches.splice(place, 1)
}

function notServed(jobTypes: readonly string[]): Error {
  return engineError('JOBS_MODULE_INVALID', {
    found: `In a thread no module serves ${jobTypes.join(', ')}: a thread imports the default export of each module's URL`,
    allowed: 'modules whose default export is what defineJobs(import.meta.url, …) returned',
    action: 'Give each defineJobs a module of its own, as its default export.',
  })
}
