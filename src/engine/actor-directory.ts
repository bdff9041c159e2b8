import type { MessagePort } from 'node:worker_threads'
import { ActorClient } from '../actor/actor-client.ts'
import { findActor } from '../execution/find-actor.ts'

/** The actors of an engine by their names, as the host reaches them. */
export class ActorDirectory {
  readonly #clients = new Map<string, ActorClient>()

  /** An actor has been started, perhaps again. */
  connect({ name, port }: { readonly name: string; readonly port: MessagePort }): void {
    const known = this.#clients.get(name)
    if (known === undefined) this.#clients.set(name, new ActorClient(name, port))
    else known.replacePort(port)
  }

  /** It has died, for now or for good. */
  fail(name: string, error: Error): void {
    this.#clients.get(name)?.fail(error)
  }

  close(reason: Error): void {
    for (const client of this.#clients.values()) client.close(reason)
  }

  /** @throws ACTOR_UNKNOWN */
  get(name: string): ActorClient {
    return findActor(this.#clients, name)
  }
}
