/**
 * Typed request and reply over a MessagePort.
 *
 * An asking side has many requests under way, each known by a number; the serving side answers each once, in any order.
 * Requests of one port arrive in the order in which they were sent. When either side ends, by `close`, by the death of
 * its thread or by the loss of its port, the 'close' event of the other side rejects what is pending. Replies that were
 * sent before that arrive first: the port keeps its order to the end.
 */
import type { MessagePort, Transferable } from 'node:worker_threads'
import { afterMicrotasks, afterThisTurn, systemClock } from '../clock.ts'
import {
  describe,
  engineError,
  fromPlainError,
  hasCode,
  type PlainError,
  toPlainError,
  unreachable,
} from '../errors.ts'

/** Each kind of request names its reply. */
export type Protocol = {
  readonly [Kind in string]: { readonly request: unknown; readonly reply: unknown }
}

/** The way to answer one request. The first call counts; later ones are ignored. */
export interface Answer<Reply> {
  /** A value that cannot be cloned refuses the request with MESSAGE_NOT_CLONEABLE. */
  reply(value: Reply): void
  /** Rejects the request on the other side, with the error's code and text. */
  refuse(error: unknown): void
}

/** A request as the serving side sees it, told apart by `kind`. */
export type Incoming<P extends Protocol> = {
  [Kind in keyof P & string]: {
    readonly kind: Kind
    readonly request: P[Kind]['request']
    readonly answer: Answer<P[Kind]['reply']>
  }
}[keyof P & string]

/** What is on the wire. The prefix tells these from messages that others send through the same port. */
type WireMessage =
  | { readonly kind: 'port-ask'; readonly id: number; readonly ask: string; readonly request: unknown }
  | { readonly kind: 'port-reply'; readonly id: number; readonly reply: unknown }
  | { readonly kind: 'port-refusal'; readonly id: number; readonly error: PlainError }
  | { readonly kind: 'port-tell'; readonly message: unknown }

export interface AskPortOptions {
  /** Requests that may wait for a reply; one more is refused as OVERLOADED. */
  readonly maxPending: number
  /** Receives what the other side tells. */
  readonly onTell?: (message: unknown) => void
  /** What is pending is rejected with when the other side ends by itself. Default: ACTOR_RESTARTED. */
  readonly endedError?: () => Error
  /** Who is asked, for error texts. Default: `The other side`. */
  readonly name?: string
}

interface Pending {
  // As methods, so that a promise of any reply fits: the protocol says which reply belongs to which request.
  resolve(reply: unknown): void
  reject(reason: Error): void
}

/** How long one turn of the event loop goes on with what arrives. */
const turnMs = 4

/** The asking side. Keeps the process alive only while a request is pending. */
export class AskPort<P extends Protocol> {
  readonly #port: MessagePort
  readonly #maxPending: number
  readonly #onTell: ((message: unknown) => void) | undefined
  readonly #name: string
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #closedBy: Error | undefined
  /** What has arrived, and is for a later turn of the event loop. */
  #held: unknown[] = []
  /** Until when this turn may go on; undefined: nothing has arrived in it. */
  #turnEndsMs: number | undefined

  constructor(port: MessagePort, options: AskPortOptions) {
    this.#port = port
    this.#maxPending = options.maxPending
    this.#onTell = options.onTell
    this.#name = options.name ?? 'The other side'
    port.on('message', (message: unknown) => this.#receive(message))
    port.on('messageerror', (error) => this.close(unreadable(this.#name, error)))
    port.on('close', () => this.close(options.endedError?.() ?? endedBeforeReply(this.#name)))
    // A port that was closed before it got here (its other side died while it was under way) gives no 'close' event
    // any more. It is known by this: it cannot be referenced.
    port.ref()
    if (!port.hasRef()) this.close(endedBeforeReply(this.#name))
    port.unref()
  }

  get pending(): number {
    return this.#pending.size
  }

  /**
   * Sends a request and resolves to its reply.
   *
   * @throws OVERLOADED when `maxPending` requests wait already; MESSAGE_NOT_CLONEABLE; ACTOR_RESTARTED when the other
   * side ended; whatever the other side refused it with
   */
  ask<Kind extends keyof P & string>(
    kind: Kind,
    request: P[Kind]['request'],
    transfer?: readonly Transferable[],
  ): Promise<P[Kind]['reply']> {
    if (this.#closedBy !== undefined) return Promise.reject(notSent(this.#name, this.#closedBy))
    if (this.#pending.size >= this.#maxPending)
      return Promise.reject(overloaded(this.#name, this.#maxPending))
    const id = this.#nextId
    this.#nextId += 1
    try {
      this.#port.postMessage({ kind: 'port-ask', id, ask: kind, request } satisfies WireMessage, transfer)
    } catch (error) {
      return Promise.reject(notCloneable('A request', error))
    }
    const reply = Promise.withResolvers<P[Kind]['reply']>()
    this.#pending.set(id, reply)
    if (this.#pending.size === 1) this.#port.ref()
    return reply.promise
  }

  /**
   * Sends a message that has no reply. Once the other side has ended it is lost, silently.
   *
   * @throws MESSAGE_NOT_CLONEABLE
   */
  tell(message: unknown, transfer?: readonly Transferable[]): void {
    tellThrough(this.#port, message, transfer)
  }

  /** Rejects everything pending with `reason`, and every later request at once; closes the port. The first call counts. */
  close(reason: Error): void {
    const held = this.#held
    this.#held = []
    try {
      for (const message of held) this.#deliver(message)
    } finally {
      this.#end(reason)
    }
  }

  #end(reason: Error): void {
    if (this.#closedBy !== undefined) return
    this.#closedBy = reason
    this.#port.close()
    for (const pending of this.#pending.values()) pending.reject(reason)
    this.#pending.clear()
  }

  /**
   * Whoever gets a reply may ask again at once, and be answered before this turn of the event loop has ended: Node hands
   * over up to a thousand messages of a port in one turn, so that nothing else would have its turn for half a second.
   */
  #receive(received: unknown): void {
    if (this.#held.length > 0 || this.#isTurnOver()) this.#held.push(received)
    else this.#deliver(received)
  }

  #isTurnOver(): boolean {
    const nowMs = systemClock.monotonicMs()
    if (this.#turnEndsMs === undefined) {
      this.#turnEndsMs = nowMs + turnMs
      afterThisTurn(this.#nextTurn)
    }
    return nowMs >= this.#turnEndsMs
  }

  readonly #nextTurn = (): void => {
    this.#turnEndsMs = undefined
    this.#deliverHeld()
  }

  /** What the receivers do with it comes in between, and counts. */
  readonly #deliverHeld = (): void => {
    if (this.#held.length === 0 || this.#isTurnOver()) return
    const next = this.#held.shift()
    if (this.#held.length > 0) afterMicrotasks(this.#deliverHeld)
    this.#deliver(next)
  }

  #deliver(received: unknown): void {
    const message = toWireMessage(received)
    if (message === undefined || this.#closedBy !== undefined) return
    switch (message.kind) {
      case 'port-reply':
        this.#settled(message.id)?.resolve(message.reply)
        return
      case 'port-refusal':
        this.#settled(message.id)?.reject(fromPlainError(message.error))
        return
      case 'port-tell':
        this.#onTell?.(message.message)
        return
      case 'port-ask':
        throw new Error(`Broken assumption: nobody asks the asking side (${describe(message.ask)})`)
      default:
        unreachable(message)
    }
  }

  #settled(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#pending.size === 0) this.#port.unref()
    return pending
  }
}

/**
 * The serving side. Keeps its thread alive until it is closed. A throw of `serve` is not caught: an actor that does
 * not know how far it came must end, and be started again.
 *
 * @param onTell receives what the other side tells
 */
export function servePort<P extends Protocol>(
  port: MessagePort,
  serve: (request: Incoming<P>) => void,
  onTell?: (message: unknown) => void,
): { tell(message: unknown, transfer?: readonly Transferable[]): void; close(): void } {
  port.on('message', (received: unknown) => {
    const message = toWireMessage(received)
    if (message === undefined) return
    switch (message.kind) {
      case 'port-ask': {
        const { ask: kind, request, id } = message
        // The boundary between the wire and the protocol: `ask` takes a kind only with its own request.
        serve({ kind, request, answer: new PortAnswer(port, id) } as unknown as Incoming<P>)
        return
      }
      case 'port-tell':
        onTell?.(message.message)
        return
      case 'port-reply':
      case 'port-refusal':
        throw new Error(`Broken assumption: nobody answers the serving side (${message.id})`)
      default:
        unreachable(message)
    }
  })
  // A message that cannot be read may be a request: only the end of the port tells its sender.
  port.on('messageerror', () => port.close())
  return {
    tell: (message, transfer) => tellThrough(port, message, transfer),
    close: () => port.close(),
  }
}

class PortAnswer<Reply> implements Answer<Reply> {
  readonly #id: number
  #port: MessagePort | undefined

  constructor(port: MessagePort, id: number) {
    this.#port = port
    this.#id = id
  }

  reply(value: Reply): void {
    const port = this.#port
    if (port === undefined) return
    try {
      port.postMessage({ kind: 'port-reply', id: this.#id, reply: value } satisfies WireMessage)
    } catch (error) {
      this.refuse(notCloneable('A reply', error))
    }
    this.#port = undefined
  }

  refuse(error: unknown): void {
    const port = this.#port
    this.#port = undefined
    port?.postMessage({
      kind: 'port-refusal',
      id: this.#id,
      error: toPlainError(error),
    } satisfies WireMessage)
  }
}

function tellThrough(
  port: MessagePort,
  message: unknown,
  transfer: readonly Transferable[] | undefined,
): void {
  try {
    port.postMessage({ kind: 'port-tell', message } satisfies WireMessage, transfer)
  } catch (error) {
    throw notCloneable('A message', error)
  }
}

/** Undefined for what somebody else sent through this port. */
function toWireMessage(received: unknown): WireMessage | undefined {
  if (typeof received !== 'object' || received === null || !('kind' in received)) return undefined
  if (typeof received.kind !== 'string' || !received.kind.startsWith('port-')) return undefined
  // The boundary to the wire: only this file sends kinds with this prefix.
  return received as WireMessage
}

/** An error for a value that postMessage refused. `what` begins the sentence. */
export function notCloneable(what: string, thrown: unknown): Error {
  return engineError('MESSAGE_NOT_CLONEABLE', {
    found: `${what} cannot be sent to another thread: ${toPlainError(thrown).message}`,
    allowed: 'what structuredClone takes (no functions, no instances that need their class)',
    action: 'Send plain data.',
    cause: thrown,
  })
}

function overloaded(name: string, maxPending: number): Error {
  return engineError('OVERLOADED', {
    found: `${name} has ${maxPending} requests that wait for a reply`,
    allowed: `${maxPending}`,
    action: 'Wait for replies and ask again.',
  })
}

/** What is pending is rejected with this when the other side ended. */
export function endedBeforeReply(name: string): Error {
  return engineError('ACTOR_RESTARTED', {
    found: `${name} ended, or lost its port, before it replied`,
    action: 'Ask again; the request may or may not have been served.',
  })
}

/** A request that was never sent cannot be why the other side ended: whoever counts its deaths is to know that. */
function notSent(name: string, closedBy: Error): Error {
  if (!hasCode(closedBy, 'ACTOR_RESTARTED')) return closedBy
  return engineError('ACTOR_RESTARTED', {
    found: `${name} is down`,
    action: 'Ask again; it is being started.',
    details: { wasSent: false },
  })
}

function unreadable(name: string, error: Error): Error {
  return engineError('ACTOR_FAILED', {
    found: `${name} sent what cannot be read: ${error.message}`,
    action: 'Send plain data.',
    cause: error,
  })
}
