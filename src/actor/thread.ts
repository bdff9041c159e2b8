/**
 * The owner's side of a thread, and the only place that starts one.
 *
 *   starting ──'ready'──▶ up ──stop()──▶ stopping ──exit──▶ exited { stopped }
 *      │                   │                └─grace over─▶ terminated ─exit─▶ exited { stopped }
 *      └─'failed', an uncaught exception, an early exit─▶ exited { died }
 *
 * Two channels lead to it: `port` carries the work, a control channel of its own carries ready, failed and stop, so
 * that a stop never waits behind work. A thread stuck in native code cannot be terminated: it is written off, which
 * means that `stop` and `terminate` give up after `writeOffMs` and `exited` stays open until the native call returns.
 */
import { extname } from 'node:path'
import {
  MessageChannel,
  type MessagePort,
  type ResourceLimits,
  receiveMessageOnPort,
  type Transferable,
  Worker,
} from 'node:worker_threads'
import { withinMs } from '../clock.ts'
import { engineError, fromPlainError, isErrorCode, toPlainError, unreachable } from '../errors.ts'
import { notCloneable } from './port.ts'
import type { FromThread, ThreadLuggage, ToThread } from './thread-start.ts'

export { startOfThread, type ThreadStart } from './thread-start.ts'

/** The files workers/<entry> that `ActorThread` can run. */
export type ThreadEntry = 'supervisor' | 'reader' | 'checkpointer' | 'backup' | 'actor' | 'maintenance'

/** What to start. */
export interface ThreadSpec {
  /** For error texts and debuggers. */
  readonly name: string
  readonly entry: ThreadEntry
  /** Given to the entry as `ThreadStart.data`. Must be cloneable. */
  readonly data: unknown
  readonly transfer?: readonly Transferable[]
  /** How long the thread may take to say that it is ready. */
  readonly readyTimeoutMs: number
  readonly resourceLimits?: ResourceLimits
}

/** How a thread ended: because its owner wished so, or by itself. */
export type ThreadExit = { readonly kind: 'stopped' } | { readonly kind: 'died'; readonly error: Error }

/** How long a thread may take to end once it was told to: then it is ended by force, or written off. */
const writeOffMs = 1_000

/** The file of an entry, in the source tree or in dist. */
export function threadEntryUrl(entry: ThreadEntry | 'pool-thread' | 'span-courier'): URL {
  const extension = extname(new URL(import.meta.url).pathname)
  return new URL(`../../workers/${entry}${extension}`, import.meta.url)
}

/**
 * Options for every thread of the engine, over the host's own. A host that came through `node --input-type=… -e` or from
 * stdin hands that flag down, and a thread whose entry is a file does not start with it. Flags are replaced only then:
 * when they are given, Node refuses those that belong to the whole process, such as `--max-old-space-size`.
 */
export function threadExecOptions(): { readonly execArgv?: string[] } {
  return process.execArgv.some((flag) => flag.startsWith('--input-type')) ? { execArgv: [] } : {}
}

/** A running thread. It keeps the process alive. */
export class ActorThread {
  readonly name: string
  readonly threadId: number
  /** This side of the thread's main channel. It closes when the thread ends, after what the thread sent. */
  readonly port: MessagePort
  /** Resolves when the thread has ended. Never rejects. */
  readonly exited: Promise<ThreadExit>
  readonly #worker: Worker
  readonly #control: MessagePort
  readonly #ready = Promise.withResolvers<void>()
  readonly #exit = Promise.withResolvers<ThreadExit>()
  #error: Error | undefined
  #isReady = false
  #isEndWanted = false
  #stopping: Promise<'stopped' | 'ended'> | undefined

  /**
   * Resolves when the thread said that it is ready.
   *
   * @param abort ends a thread that is not ready yet
   * @throws START_FAILED when it ended early, or was not ready in time (it is terminated then); MESSAGE_NOT_CLONEABLE;
   * otherwise the error that the thread reported
   */
  static async start(spec: ThreadSpec, abort?: AbortSignal): Promise<ActorThread> {
    abort?.throwIfAborted()
    const thread = new ActorThread(spec)
    const onAbort = (): void => void thread.terminate()
    abort?.addEventListener('abort', onAbort, { once: true })
    try {
      const outcome = await withinMs(thread.#ready.promise, spec.readyTimeoutMs)
      // Its owner may have been too busy to hear it in time.
      if (outcome !== 'timed-out' || thread.#hasSaidReady()) return thread
    } finally {
      abort?.removeEventListener('abort', onAbort)
    }
    await thread.terminate()
    throw thread.#error ?? startFailed(spec.name, `was not ready after ${spec.readyTimeoutMs} ms`)
  }

  private constructor(spec: ThreadSpec) {
    const main = new MessageChannel()
    const control = new MessageChannel()
    try {
      this.#worker = startWorker(spec, {
        semanticaThread: spec.name,
        data: spec.data,
        port: main.port2,
        control: control.port2,
      })
    } catch (error) {
      main.port1.close()
      control.port1.close()
      throw error
    }
    this.name = spec.name
    this.threadId = this.#worker.threadId
    this.port = main.port1
    this.exited = this.#exit.promise
    this.#control = control.port1
    this.#control.on('message', (message: FromThread) => this.#hear(message))
    // The thread itself keeps the process alive; its control channel need not.
    this.#control.unref()
    this.#worker.on('error', (thrown: unknown) => this.#fail(toError(thrown)))
    this.#worker.once('exit', (exitCode) => this.#onExit(exitCode))
  }

  /**
   * Asks the thread to stop, waits for its end, and ends it by force after `graceMs`. The first call counts; later ones
   * share its promise. `exited` tells whether its stop hook failed.
   */
  stop(graceMs: number): Promise<'stopped' | 'ended'> {
    this.#stopping ??= this.#stopOnce(graceMs)
    return this.#stopping
  }

  /** Ends the thread by force; its stop hook does not run. Resolves when it has ended, or is written off. */
  async terminate(): Promise<void> {
    this.#isEndWanted = true
    // Its promise stays open when the thread is stuck in native code.
    void this.#worker.terminate()
    const outcome = await withinMs(this.exited, writeOffMs)
    if (outcome === 'timed-out') this.#worker.unref()
  }

  async #stopOnce(graceMs: number): Promise<'stopped' | 'ended'> {
    this.#isEndWanted = true
    this.#control.postMessage({ kind: 'stop' } satisfies ToThread)
    return await this.#endAfter(graceMs)
  }

  async #endAfter(graceMs: number): Promise<'stopped' | 'ended'> {
    const outcome = await withinMs(this.exited, graceMs)
    if (outcome !== 'timed-out') return 'stopped'
    await this.terminate()
    return 'ended'
  }

  #hasSaidReady(): boolean {
    this.#hearAll()
    return this.#isReady
  }

  #hearAll(): void {
    for (let left = receiveMessageOnPort(this.#control); left; left = receiveMessageOnPort(this.#control)) {
      this.#hear(left.message)
    }
  }

  #hear(message: FromThread): void {
    switch (message.kind) {
      case 'ready':
        this.#isReady = true
        this.#ready.resolve()
        return
      case 'failed':
        this.#fail(fromPlainError(message.error))
        // It ends by itself now. If it cannot, it is ended: it said that it is of no use.
        void this.#endAfter(writeOffMs)
        return
      default:
        unreachable(message)
    }
  }

  #fail(error: Error): void {
    this.#error ??= error
  }

  #onExit(exitCode: number): void {
    // The exit can overtake the thread's last words.
    this.#hearAll()
    this.#control.close()
    const early = startFailed(this.name, `ended with exit code ${exitCode} before it was ready`)
    this.#ready.reject(this.#error ?? early)
    this.#exit.resolve(this.#judgeExit(exitCode))
  }

  #judgeExit(exitCode: number): ThreadExit {
    if (this.#error !== undefined) return { kind: 'died', error: this.#error }
    if (this.#isEndWanted) return { kind: 'stopped' }
    const error = engineError('ACTOR_FAILED', {
      found: `Thread ${this.name} ended by itself, with exit code ${exitCode}`,
      action: 'Look for process.exit() in its modules.',
    })
    return { kind: 'died', error }
  }
}

function startWorker(spec: ThreadSpec, luggage: ThreadLuggage): Worker {
  try {
    return new Worker(threadEntryUrl(spec.entry), {
      ...threadExecOptions(),
      name: spec.name,
      workerData: luggage,
      transferList: [luggage.port, luggage.control, ...(spec.transfer ?? [])],
      ...(spec.resourceLimits === undefined ? {} : { resourceLimits: spec.resourceLimits }),
    })
  } catch (error) {
    if (error instanceof Error && error.name === 'DataCloneError') {
      throw notCloneable(`The data for thread ${spec.name}`, error)
    }
    throw startFailed(spec.name, `could not be created: ${toPlainError(error).message}`, error)
  }
}

/** An uncaught error comes with its fields, but without its class. */
function toError(thrown: unknown): Error {
  const plain = toPlainError(thrown)
  const isOurs = plain.code !== undefined && isErrorCode(plain.code)
  return thrown instanceof Error && !isOurs ? thrown : fromPlainError(plain)
}

function startFailed(name: string, what: string, cause?: unknown): Error {
  return engineError('START_FAILED', {
    found: `Thread ${name} ${what}`,
    action: 'Look at its output, and start again.',
    cause,
  })
}
