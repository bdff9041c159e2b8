/**
 * The owner's side of an actor: a supervised thread, and fresh ports to it.
 *
 *   down ──start──▶ up ──dies──▶ down ──restarted──▶ up …     down ──budget spent, or first start fails──▶ failed
 *                                                             failed ──restarted after all, if the budget says so──▶ up
 *
 * A port is good for one life of the thread. The owner hands out new ones on `onRestarted`; a port that is asked for
 * while the actor is down comes closed, so its client sees ACTOR_RESTARTED at once.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { Clock } from '../clock.ts'
import { engineError } from '../errors.ts'
import { type ActorData, defaultMailboxCapacity, type NoRequests, type ToActor } from './messages.ts'
import { AskPort } from './port.ts'
import { type RestartBudget, SupervisedThread } from './supervision.ts'
import type { ActorThread, ThreadSpec } from './thread.ts'

/** How long `start` of an actor may take. Generous: it may load a model. */
const readyTimeoutMs = 60_000

export interface ActorHostHooks {
  readonly budget: RestartBudget
  readonly clock: Clock
  /** The actor is up again: connect its clients anew. */
  onRestarted(): void
  /** The budget is spent: ACTOR_FAILED, with the last death as its cause. `onRestarted` may still follow. */
  onFailed(error: Error): void
  /** Each death, each failed restart, and a stop hook that threw. For the log; `onRestarted` or `onFailed` follows. */
  onDied(error: Error): void
}

export class ActorHost {
  readonly #name: string
  readonly #hooks: ActorHostHooks
  readonly #thread: SupervisedThread
  #state: 'up' | 'down' | 'failed' = 'down'
  #main: AskPort<NoRequests> | undefined
  #wasUp = false
  #isStopping = false

  /**
   * @param module what `defineActor` gave; the thread imports it by its `url`
   * @param options given to the actor's `start`; must be cloneable
   */
  constructor(name: string, module: { readonly url: string }, options: unknown, hooks: ActorHostHooks) {
    this.#name = name
    this.#hooks = hooks
    const data: ActorData = {
      name,
      moduleUrl: module.url,
      options,
      mailboxCapacity: defaultMailboxCapacity,
    }
    const spec: ThreadSpec = { name: `actor ${name}`, entry: 'actor', data, readyTimeoutMs }
    this.#thread = new SupervisedThread(() => spec, {
      budget: hooks.budget,
      clock: hooks.clock,
      onStarted: (thread) => this.#onStarted(thread),
      onDied: (error, willRestart) => this.#onDied(error, willRestart),
    })
  }

  get state(): 'up' | 'down' | 'failed' {
    return this.#state
  }

  /**
   * Resolves when the actor's `start` has.
   *
   * @throws JOBS_MODULE_INVALID, MESSAGE_NOT_CLONEABLE (options), START_FAILED; an error with a code of ours that
   * `start` threw comes as it is
   */
  async start(): Promise<void> {
    try {
      await this.#thread.start()
    } catch (error) {
      if (!this.#isStopping) this.#state = 'failed'
      throw error
    }
  }

  /** Lets the actor serve what it has, runs its `stop`, and ends it by force after `graceMs`. Idempotent. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    await this.#thread.stop(graceMs)
    if (this.#state === 'up') this.#state = 'down'
  }

  /**
   * A fresh channel to the actor. The returned end is for one `ActorClient`, and may be transferred to another thread.
   * While the actor is not up it comes closed. Use it, or transfer it, in the turn in which it was asked for: a port whose
   * other side has ended can soon not be transferred any more (postMessage throws DataCloneError).
   */
  connect(): MessagePort {
    const { port1: client, port2: port } = new MessageChannel()
    if (this.#state === 'up' && this.#main !== undefined) {
      // If the thread dies before it takes the port, the port is destroyed with the message, and the client sees that.
      this.#main.tell({ kind: 'connect', port } satisfies ToActor, [port])
    } else port.close()
    return client
  }

  #onStarted(thread: ActorThread): void {
    this.#main = new AskPort(thread.port, { maxPending: 1, name: `Actor ${this.#name}` })
    this.#state = 'up'
    const isRestart = this.#wasUp
    this.#wasUp = true
    if (isRestart) this.#hooks.onRestarted()
  }

  #onDied(error: Error, willRestart: boolean): void {
    this.#state = willRestart || this.#isStopping ? 'down' : 'failed'
    this.#main = undefined
    this.#hooks.onDied(error)
    if (this.#state === 'failed') this.#hooks.onFailed(this.#overBudget(error))
  }

  #overBudget(error: Error): Error {
    const { restarts, withinMs, againAfterMs } = this.#hooks.budget
    return engineError('ACTOR_FAILED', {
      found: `Actor ${this.#name} died again after ${restarts} restarts within ${withinMs} ms: ${error.message}`,
      action:
        againAfterMs === undefined
          ? 'Correct the actor and start the engine again.'
          : `It is tried again after ${againAfterMs.toLocaleString('en')} ms. Correct the actor, or what makes it die.`,
      cause: error,
    })
  }
}
