/** What crosses between an actor's thread, its owner and its clients. */
import type { MessagePort } from 'node:worker_threads'

/** `ThreadStart.data` of workers/actor. */
export interface ActorData {
  readonly name: string
  /** URL of the module whose default export is the actor. */
  readonly moduleUrl: string
  /** Given to `start`. Must be cloneable. */
  readonly options: unknown
  /** Messages that may wait in the actor; one more is refused as OVERLOADED. */
  readonly mailboxCapacity: number
}

/** What the owner tells through the actor's main port: a client has come. `port` is transferred. */
export interface ToActor {
  readonly kind: 'connect'
  readonly port: MessagePort
}

/** What a client asks. A user's messages are opaque here. */
export type ActorProtocol = {
  readonly ask: { readonly request: unknown; readonly reply: unknown }
}

/** The owner only tells. */
export type NoRequests = Record<never, never>

/** Messages that may wait in an actor, and replies that one client may wait for. */
export const defaultMailboxCapacity = 10_000
