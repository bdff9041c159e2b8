/**
 * The pool threads. Each is a Piscina of its own.
 *
 * A thread is greeted before it is given batches: it loads the job modules and gets its ports, which reach an idle
 * thread only inside a task. Piscina's own queue stays empty: each task is aimed at one thread, which has room for it.
 *
 * A thread may die at any time (a handler called process.exit, ran out of heap, threw where nobody could catch it), and
 * one whose handler does not give way is ended. Piscina then rejects the thread's tasks, and would start another thread,
 * unless one ever died before it was ready. So each thread has a Piscina of its own, which is destroyed with it, and what
 * is missing is started here: one that is written off, or only ends what it has, takes no place from others.
 *
 *   greeting ──loaded──► ready ──end(), or retire()──► ending ──exit──► dead
 *       └────────────────────┴────────────────────────────┴── or written off: stuck in native code, which nothing can end
 *
 * A thread that is retired is replaced at once, and lingers until the last of its jobs has ended, be it an hour. Only so
 * many may: beyond that one is replaced when another has ended.
 */

import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads'
import { afterThisTurn, type Clock, withinMs } from '../clock.ts'
import { limits } from '../config.ts'
import { assert, fromPlainError, unreachable } from '../errors.ts'
import type { BatchReply, GreetTask, PoolReply, PoolTask, ThreadMessage } from '../execution/messages.ts'
import { createOutbox } from '../execution/outbox.ts'
import type { DispatchedBatch } from './batch.ts'
import { type ThreadHost, takeThread } from './boot-thread.ts'
import type { PoolSettings } from './pool-settings.ts'
import { type PoolListener, PoolThread } from './pool-thread.ts'
import { Replacements } from './replacements.ts'
import type { Flush } from './span-flush.ts'
import { deathCause, notLoaded, notServed } from './thread-errors.ts'

/** A thread in native code cannot be ended: after this wait it is written off, and ends when the call returns. */
const writeOffMs = 1_000

export class Pool {
  readonly #settings: PoolSettings
  readonly #listener: PoolListener
  readonly #threads = new Set<PoolThread>()
  /** Also of threads that are given up, until they are gone. */
  readonly #hosts = new Map<PoolThread, ThreadHost>()
  #closing = false
  #isStarted = false
  /** False: some handlers leave behind what throws, and of which nobody knows whose it is. */
  #trusts = true
  readonly #replacements: Replacements
  #started: PromiseWithResolvers<void> | undefined

  constructor(settings: PoolSettings, clock: Clock, listener: PoolListener) {
    this.#settings = settings
    this.#replacements = new Replacements(clock)
    this.#listener = listener
  }

  /**
   * Resolves when every thread is ready.
   *
   * @throws what loading the modules threw in a thread (JOBS_MODULE_INVALID), or START_FAILED
   */
  async start(): Promise<void> {
    this.#started = Promise.withResolvers()
    for (let thread = 0; thread < this.#settings.threads; thread++) this.#addThread()
    await this.#started.promise
  }

  /** Threads that take batches, or will. */
  living(): PoolThread[] {
    return [...this.#threads]
  }

  /** Threads that take batches. */
  ready(): PoolThread[] {
    return this.living().filter((thread) => thread.state === 'ready')
  }

  /** Threads that may have batches: these, and those that are ending. */
  running(): PoolThread[] {
    return this.living().filter(({ state }) => state === 'ready' || state === 'ending')
  }

  run(thread: PoolThread, batch: DispatchedBatch): void {
    thread.batches.push(batch)
    this.#submit(thread, batch.task(), []).then(
      (reply) => {
        // What the thread sent before the reply may not have been delivered yet: it took another way.
        this.drain(thread)
        thread.remove(batch)
        assert('batch' in reply, 'a batch is answered with outcomes')
        thread.jobsRun += batch.claims.length
        // First: what ends the thread waits for what it may hold.
        thread.spans.afterBatch(reply.mayHoldSpans, this.#flushOf(thread))
        if (thread.state === 'ending') void this.#endIfRested(thread)
        else if (this.#isWornOut(thread, reply)) this.retire(thread)
        this.#listener.onBatchEnd(thread, batch, reply)
      },
      (error: unknown) => this.#died(thread, error),
    )
  }

  /** Gives what the thread has laid down to `onOutcomes`. */
  collect(thread: PoolThread): void {
    for (const outcomes of thread.collect()) this.#listener.onOutcomes(thread, outcomes)
    if (thread.isCorrupt && !thread.isEnded) this.#endCorrupt(thread)
  }

  /** A job has spoilt what all jobs of the thread share: what else runs there is put back, and runs elsewhere. */
  #endCorrupt(thread: PoolThread): void {
    thread.endedFor = new Error('A handler has spoilt its thread: how jobs end there cannot be read')
    void this.end(thread)
  }

  /** Gives a thread nothing new, and ends it when it has nothing left; another takes its place. `onDied` follows. */
  retire(thread: PoolThread): void {
    if (thread.state !== 'ready') return
    thread.state = 'ending'
    thread.isRetired = true
    void this.#endIfRested(thread)
    this.#fillUp()
  }

  /** Called when the thread begins to end, and with the end of each batch from then on. */
  async #endIfRested(thread: PoolThread): Promise<void> {
    if (thread.batches.length > 0) return
    if (thread.spans.mayBeHeld) await thread.spans.last(this.#flushOf(thread))
    await this.end(thread)
  }

  #flushOf(thread: PoolThread): Flush {
    return (isLast) => this.#submit(thread, { kind: 'flush', isLast }, [])
  }

  /** One in which programs are waited for is not: it would have nothing else to do until they end. */
  #isWornOut({ jobsRun, batches }: PoolThread, { memoryMb = 0 }: BatchReply): boolean {
    const { recycleAfterJobs, recycleAboveMb } = this.#settings
    if (batches.some((batch) => batch.isOnlyPrograms) || this.#lingering >= this.#mayLinger) return false
    return (
      (recycleAfterJobs > 0 && jobsRun >= recycleAfterJobs) ||
      (recycleAboveMb > 0 && memoryMb > recycleAboveMb)
    )
  }

  /** Ends a thread by force; `onDied` follows, a second later at most. It is given nothing more. */
  async end(thread: PoolThread): Promise<void> {
    if (thread.state === 'ready') thread.state = 'ending'
    thread.isEnded = true
    const worker = this.#hosts.get(thread)?.threads[0]
    if (worker === undefined) return
    const outcome = await withinMs(worker.terminate(), writeOffMs)
    if (outcome === 'timed-out') this.#writeOff(thread, worker)
  }

  /** The thread is in native code, which nothing can end. It is let go, and ends when the call returns. */
  #writeOff(thread: PoolThread, worker: Worker): void {
    worker.unref()
    void this.#hosts.get(thread)?.destroy()
    this.#died(thread, new Error('The thread is stuck in native code, and was written off'))
  }

  /** Ends all threads. None of them may have work left that anybody waits for. */
  async close(): Promise<void> {
    this.#closing = true
    this.#replacements.close()
    await Promise.all(this.ready().map((thread) => thread.spans.last(this.#flushOf(thread))))
    for (const thread of this.#threads) {
      thread.state = 'dead'
      thread.port.close()
    }
    this.#threads.clear()
    await withinMs(Promise.all([...this.#hosts.values()].map((host) => host.destroy())), writeOffMs)
  }

  /** Starts as many threads as are missing. One that only ends what it has is missing, while there are few of those. */
  #fillUp(): void {
    if (!this.#isStarted || this.#closing) return
    const serving = this.#threads.size - Math.min(this.#lingering, this.#mayLinger)
    const greeting = this.living().filter(({ state }) => state === 'greeting').length
    let toStart = this.#replacements.allowed(this.#settings.threads - serving, greeting)
    for (; toStart > 0; toStart--) this.#addThread()
  }

  get #lingering(): number {
    return this.living().filter((thread) => thread.isRetired).length
  }

  get #mayLinger(): number {
    return Math.max(this.#settings.threads, limits.lingeringThreads)
  }

  #addThread(): void {
    const host = takeThread(this.#settings.booted, this.#settings.threadMemoryMb)
    const channel = new MessageChannel()
    const outbox = createOutbox()
    const thread = new PoolThread(host.threads[0]?.threadId ?? 0, channel.port1, outbox)
    this.#threads.add(thread)
    this.#hosts.set(thread, host)
    const findDead = (error: Error) => {
      if (host.threads.length === 0) this.#died(thread, error)
    }
    // A thread that died without a task. With one, the task is rejected, in the same turn, with what the thread died of.
    host.on('error', findDead)
    host.on('workerDestroy', () => {
      this.#hosts.delete(thread)
      afterThisTurn(() => findDead(new Error('The thread ended')))
    })
    void this.#greet(thread, channel.port2, outbox)
  }

  async #greet(thread: PoolThread, port: MessagePort, outbox: SharedArrayBuffer): Promise<void> {
    const actorPorts = this.#settings.connectActors()
    const task: GreetTask = {
      kind: 'greet',
      databaseId: this.#settings.databaseId,
      moduleUrls: this.#settings.moduleUrls,
      setupUrl: this.#settings.setupUrl,
      trusts: this.#trusts,
      tellsMemory: this.#settings.recycleAboveMb > 0,
      port,
      outbox,
      actorPorts,
      database: this.#settings.database,
      jobLogBytes: this.#settings.jobLogBytes,
      niceness: this.#settings.threadNiceness,
    }
    const { loadTimeoutMs } = this.#settings
    let reply: PoolReply | 'timed-out'
    try {
      const loaded = this.#submit(thread, task, [port, ...Object.values(actorPorts)])
      reply = await withinMs(loaded, loadTimeoutMs)
    } catch (error) {
      this.#died(thread, error)
      return
    }
    if (reply === 'timed-out') {
      this.#refuse(thread, notLoaded(`has not loaded its modules after ${loadTimeoutMs} ms`))
      return
    }
    if (this.#closing || !('kind' in reply) || reply.kind === 'flushed') return
    if (reply.kind === 'failed') {
      this.#refuse(thread, fromPlainError(reply.error))
      return
    }
    const unserved = this.#settings.jobTypes.filter((type) => !reply.jobTypes.includes(type))
    if (unserved.length > 0) {
      this.#refuse(thread, notServed(unserved))
      return
    }
    thread.state = 'ready'
    thread.port.on('message', (message: ThreadMessage) => this.#heed(thread, message))
    thread.port.unref()
    if (this.ready().length === this.#settings.threads) {
      this.#isStarted = true
      this.#started?.resolve()
    }
    this.#replacements.succeeded()
    this.#fillUp()
    this.#listener.onReady(thread)
  }

  /** A thread that cannot run our jobs. */
  #refuse(thread: PoolThread, error: Error): void {
    if (thread.state === 'dead' || this.#closing) return
    this.#forget(thread)
    void this.end(thread)
    // A start that fails tells it by itself.
    if (this.#isStarted) this.#listener.onDied(thread, { cause: 'THREAD_DIED', error, blame: 'none' })
    this.#greetingFailed(error)
  }

  #submit(thread: PoolThread, task: PoolTask, transferList: readonly MessagePort[]): Promise<PoolReply> {
    const host = this.#hosts.get(thread)
    if (host === undefined) return Promise.reject(new Error(`Thread ${thread.threadId} is gone`))
    return host.run(task, { transferList: [...transferList] })
  }

  #heed(thread: PoolThread, message: ThreadMessage): void {
    this.collect(thread)
    switch (message.kind) {
      case 'outcomes':
        this.#listener.onOutcomes(thread, message)
        return
      case 'look-into-outbox':
        return
      case 'threw-later':
        this.retire(thread)
        this.#listener.onLateThrow(thread, message)
        return
      case 'exits-later':
        thread.blame = 'none'
        this.#listener.onLateThrow(thread, message)
        return
      case 'ends-unclear':
        thread.blame = 'unclear'
        this.#trustNobody()
        return
      case 'ends-unowned':
        thread.blame = 'unowned'
        return
      case 'news':
        this.#listener.onNews(message.attempts)
        return
      case 'log-failed':
        this.#listener.onLogFailure(message)
        return
      case 'sign-of-life':
        thread.owesSign = false
        return
      default:
        unreachable(message)
    }
  }

  /** Gives everything that the thread has laid down and sent to the listener. */
  drain(thread: PoolThread): void {
    this.collect(thread)
    for (
      let entry = receiveMessageOnPort(thread.port);
      entry !== undefined;
      entry = receiveMessageOnPort(thread.port)
    ) {
      this.#heed(thread, entry.message as ThreadMessage)
    }
  }

  /** The next time it is known who did it. Threads that have trusted before stay unclear, and each of them dies but once. */
  #trustNobody(): void {
    this.#trusts = false
    for (const thread of this.#threads) thread.notify({ kind: 'trust-nobody' })
  }

  #forget(thread: PoolThread): void {
    thread.state = 'dead'
    thread.port.close()
    this.#threads.delete(thread)
  }

  /** At the start one failure is enough. Later ones are tried again: for ever while others serve. */
  #greetingFailed(error: Error): void {
    this.#started?.reject(error)
    if (!this.#isStarted || this.#closing) return
    if (this.#replacements.failed(this.running().length > 0, () => this.#fillUp()) === 'waits') return
    this.#closing = true
    this.#listener.onGaveUp(error)
  }

  #died(thread: PoolThread, error: unknown): void {
    if (thread.state === 'dead' || this.#closing) return
    const { state, isEnded } = thread
    if (state !== 'greeting') this.drain(thread)
    this.#forget(thread)
    // A batch that failed as a whole is a fault of ours; its thread lives, and must not go on with the others.
    void this.end(thread)
    const cause = error instanceof Error ? error : new Error(String(error))
    this.#listener.onDied(thread, {
      cause: isEnded ? 'THREAD_DIED' : deathCause(cause),
      error: cause,
      blame: isEnded ? 'none' : thread.blame,
    })
    if (state === 'greeting')
      this.#greetingFailed(notLoaded(`died before it was ready: ${cause.message}`, cause))
    this.#fillUp()
  }
}
