/**
 * The way to an actor, from any thread. Its port changes when the actor is started again; what was pending then is
 * rejected as ACTOR_RESTARTED, since nobody knows how far it came.
 */
import type { MessagePort } from 'node:worker_threads'
import { type ActorProtocol, defaultMailboxCapacity } from './messages.ts'
import { AskPort, endedBeforeReply } from './port.ts'

export class ActorClient {
  readonly #name: string
  #asks: AskPort<ActorProtocol>
  #failedBy: Error | undefined
  #isClosed = false

  /** @param port from `ActorHost.connect`, in whatever thread */
  constructor(name: string, port: MessagePort) {
    this.#name = name
    this.#asks = this.#open(port)
  }

  /**
   * Sends one message and resolves to its reply.
   *
   * @throws ACTOR_RESTARTED when the actor died meanwhile, or is down; ACTOR_FAILED when it refused the message or is
   * beyond its restart budget; OVERLOADED; MESSAGE_NOT_CLONEABLE; ENGINE_STOPPED
   */
  ask(message: unknown): Promise<unknown> {
    return this.#failedBy === undefined ? this.#asks.ask('ask', message) : Promise.reject(this.#failedBy)
  }

  /** Asks through `port` from now on. What is pending is rejected as ACTOR_RESTARTED if it has not been yet. */
  replacePort(port: MessagePort): void {
    if (this.#isClosed) {
      port.close()
      return
    }
    this.#asks.close(endedBeforeReply(`Actor ${this.#name}`))
    this.#failedBy = undefined
    this.#asks = this.#open(port)
  }

  /** The actor has spent its restart budget: rejects what is pending, and what comes until there is another port. */
  fail(error: Error): void {
    if (this.#isClosed) return
    this.#failedBy = error
    this.#asks.close(error)
  }

  /** The end: rejects what is pending, and what comes, whatever is called later. */
  close(reason: Error): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#failedBy = reason
    this.#asks.close(reason)
  }

  #open(port: MessagePort): AskPort<ActorProtocol> {
    return new AskPort(port, { maxPending: defaultMailboxCapacity, name: `Actor ${this.#name}` })
  }
}
