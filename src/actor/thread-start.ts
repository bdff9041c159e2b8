/**
 * The thread's side of its life. An entry in workers/ calls `startOfThread`, opens what it owns, registers its stop
 * hook and says `ready`. Asked to stop, it runs the hook once, closes its ports, and so ends by itself.
 *
 *   starting ──ready()──▶ serving ──stop asked──▶ stopping ──hook done──▶ ending
 *       └──────failed()──────┴───────────hook throws──┴─────────────────────▲
 *
 * A stop that comes before `ready` waits for nothing: the hook runs if it is registered. Whatever comes while it is
 * ending is ignored. An exception that nobody catches ends the thread at once; its owner sees the error.
 */
import { isMainThread, type MessagePort, workerData } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { assert, engineError, type PlainError, toPlainError } from '../errors.ts'

/** What the owner says over the control channel. */
export interface ToThread {
  readonly kind: 'stop'
}

/** What the thread says over the control channel. */
export type FromThread = { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly error: PlainError }

/** What `new Worker` hands to the thread. */
export interface ThreadLuggage {
  readonly semanticaThread: string
  readonly data: unknown
  readonly port: MessagePort
  readonly control: MessagePort
}

/** What an entry in workers/ works with. */
export interface ThreadStart {
  /** The owner's `ThreadSpec.data`. */
  readonly data: unknown
  /** This side of the thread's main channel. Closed after the stop hook. */
  readonly port: MessagePort
  /** Registers what closes the thread's resources. Once, before `ready`. Called at most once. */
  onStop(stop: () => void | Promise<void>): void
  /** Says that the thread serves from now on. */
  ready(): void
  /** Says that it cannot serve, or not any more, and ends the thread without the stop hook. The owner gets the error. */
  failed(error: unknown): void
}

/** How long a thread that closed its ports may still run before it is ended by force from within. */
const selfExitMs = 100

/**
 * @param name the entry's name, for the error
 * @throws START_FAILED on the main thread, and in a thread that this engine did not start
 */
export function startOfThread(name: string): ThreadStart {
  const luggage: unknown = workerData
  if (isMainThread || !isLuggage(luggage)) {
    throw engineError('START_FAILED', {
      found: `workers/${name} runs outside of a thread of the engine`,
      action: 'It is not a program: start the engine with `Engine.start`.',
    })
  }
  return new StartedThread(luggage)
}

function isLuggage(value: unknown): value is ThreadLuggage {
  return typeof value === 'object' && value !== null && 'semanticaThread' in value
}

class StartedThread implements ThreadStart {
  readonly data: unknown
  readonly port: MessagePort
  readonly #control: MessagePort
  #stop: (() => void | Promise<void>) | undefined
  #phase: 'starting' | 'serving' | 'stopping' | 'ending' = 'starting'

  constructor(luggage: ThreadLuggage) {
    this.data = luggage.data
    this.port = luggage.port
    this.#control = luggage.control
    // Listening keeps the thread alive until it is asked to stop. Its only message is `stop`.
    luggage.control.on('message', (_: ToThread) => void this.#stopOnce())
    // The owner is gone: nobody is left to serve.
    luggage.control.on('close', () => void this.#stopOnce())
  }

  onStop(stop: () => void | Promise<void>): void {
    assert(this.#stop === undefined, 'a thread has one stop hook')
    this.#stop = stop
  }

  ready(): void {
    if (this.#phase !== 'starting') return
    this.#phase = 'serving'
    this.#say({ kind: 'ready' })
  }

  failed(error: unknown): void {
    if (this.#phase === 'ending') return
    this.#say({ kind: 'failed', error: toPlainError(error) })
    this.#end()
  }

  async #stopOnce(): Promise<void> {
    if (this.#phase === 'stopping' || this.#phase === 'ending') return
    this.#phase = 'stopping'
    try {
      await this.#stop?.()
    } catch (error) {
      this.failed(error)
      return
    }
    this.#end()
  }

  #say(message: FromThread): void {
    this.#control.postMessage(message)
  }

  /**
   * Closes the ports, so that the thread ends by itself. What a user's module left behind (a timer, a socket) would keep
   * it alive for ever: the one place where a thread exits by force from within. The timer itself holds nothing.
   */
  #end(): void {
    if (this.#phase === 'ending') return
    this.#phase = 'ending'
    this.port.close()
    this.#control.close()
    systemClock.startTimer(selfExitMs, () => process.exit())
  }
}
