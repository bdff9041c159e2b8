/**
 * The thread side of an actor: imports the user's module, opens its resource, and serves its mailbox.
 *
 * All clients' messages go into one mailbox. Once a turn's deliveries are in, `receive` gets what waits, at most
 * `messagesPerReceive`; while it works more gathers, and is the next batch. Stopping: what arrived before the stop is
 * served, what comes later is refused, then the resource is closed.
 */
import type { MessagePort } from 'node:worker_threads'
import { afterThisTurn } from '../clock.ts'
import { describe, engineError, isErrorCode, toPlainError, unreachable } from '../errors.ts'
import { type ActorModule, isActorModule } from './define.ts'
import { Mailbox } from './mailbox.ts'
import type { ActorData, ActorProtocol, NoRequests, ToActor } from './messages.ts'
import { type Answer, type Incoming, servePort } from './port.ts'
import type { ThreadStart } from './thread-start.ts'

/** As `ActorDefinition.receive` promises. */
const messagesPerReceive = 1_000

/** Runs the actor that the thread was started for. Never rejects: a failure is the thread's own. */
export async function runActor(start: ThreadStart): Promise<void> {
  try {
    // The boundary to ActorHost, which alone starts workers/actor.
    const data = start.data as ActorData
    const { definition } = await importActor(data.moduleUrl)
    const state = await startActor(data, definition)
    const loop = new ActorLoop(data, (messages, askers) => definition.receive(messages, state, askers))
    start.onStop(async () => {
      await loop.finish()
      await definition.stop?.(state)
    })
    // The boundary to ActorHost again: it tells only these, and asks nothing.
    servePort<NoRequests>(start.port, unreachable, (message) => loop.hear(message as ToActor))
    start.ready()
  } catch (error) {
    start.failed(error)
  }
}

async function importActor(moduleUrl: string): Promise<ActorModule> {
  let imported: { readonly default?: unknown }
  try {
    imported = await import(moduleUrl)
  } catch (error) {
    throw engineError('JOBS_MODULE_INVALID', {
      found: `The actor module ${moduleUrl} cannot be loaded: ${toPlainError(error).message}`,
      action: 'Correct the module.',
      details: { cause: toPlainError(error) },
    })
  }
  if (isActorModule(imported.default)) return imported.default
  throw engineError('JOBS_MODULE_INVALID', {
    found: `The default export of the actor module ${moduleUrl} is ${describe(imported.default)}`,
    allowed: 'what defineActor() returns',
    action: 'Write `export default defineActor(import.meta.url, …)`.',
  })
}

async function startActor(data: ActorData, definition: ActorModule['definition']): Promise<unknown> {
  try {
    return await definition.start(data.options)
  } catch (error) {
    throw withCode('START_FAILED', `start() of actor ${data.name} threw`, error)
  }
}

/** A message that waits, with the way to its sender. */
interface Waiting {
  readonly message: unknown
  readonly answer: Answer<unknown>
  /** Fires when the sender is gone. */
  readonly asker: AbortSignal
}

type Receive = (messages: readonly unknown[], askers: readonly AbortSignal[]) => unknown

class ActorLoop {
  readonly #name: string
  readonly #capacity: number
  readonly #receive: Receive
  readonly #mailbox: Mailbox<'messages', Waiting>
  readonly #clients = new Set<MessagePort>()
  /** Whether a turn is due or under way; at most one is. */
  #isBusy = false
  #isStopping = false
  readonly #drained = Promise.withResolvers<void>()

  constructor(data: ActorData, receive: Receive) {
    this.#name = data.name
    this.#capacity = data.mailboxCapacity
    this.#receive = receive
    this.#mailbox = new Mailbox({ messages: { capacity: data.mailboxCapacity, minimumShare: 1 } })
  }

  hear(message: ToActor): void {
    switch (message.kind) {
      case 'connect':
        this.#connect(message.port)
        return
      default:
        unreachable(message.kind)
    }
  }

  /** Resolves when everything that had arrived is answered; what comes later is refused. */
  async finish(): Promise<void> {
    // What was sent before the stop may still lie in the ports: in this turn's, or in one that this turn connects.
    for (let turn = 0; turn < 2; turn += 1) await new Promise<void>((resolve) => afterThisTurn(resolve))
    this.#isStopping = true
    if (!this.#isBusy) this.#drained.resolve()
    await this.#drained.promise
    for (const port of this.#clients) port.close()
  }

  #connect(port: MessagePort): void {
    this.#clients.add(port)
    const gone = new AbortController()
    port.on('close', () => {
      this.#clients.delete(port)
      gone.abort()
    })
    servePort<ActorProtocol>(port, (incoming) => this.#accept(incoming, gone.signal))
  }

  #accept({ request: message, answer }: Incoming<ActorProtocol>, asker: AbortSignal): void {
    if (this.#isStopping) {
      answer.refuse(
        engineError('ENGINE_STOPPED', {
          found: `Actor ${this.#name} is stopping`,
          action: 'Start the engine again.',
        }),
      )
      return
    }
    if (!this.#mailbox.offer('messages', { message, answer, asker })) {
      answer.refuse(
        engineError('OVERLOADED', {
          found: `The mailbox of actor ${this.#name} is full`,
          allowed: `${this.#capacity} messages`,
          action: 'Wait for replies and ask again.',
        }),
      )
      return
    }
    if (this.#isBusy) return
    this.#isBusy = true
    afterThisTurn(this.#takeTurn)
  }

  readonly #takeTurn = async (): Promise<void> => {
    await this.#serve(this.#mailbox.take(messagesPerReceive))
    if (this.#mailbox.size > 0) {
      afterThisTurn(this.#takeTurn)
      return
    }
    this.#isBusy = false
    if (this.#isStopping) this.#drained.resolve()
  }

  async #serve(batch: readonly Waiting[]): Promise<void> {
    let replies: unknown
    try {
      replies = await this.#receive(
        batch.map((waiting) => waiting.message),
        batch.map((waiting) => waiting.asker),
      )
    } catch (error) {
      const refusal = withCode('ACTOR_FAILED', `receive() of actor ${this.#name} threw`, error, 'always')
      for (const { answer } of batch) answer.refuse(refusal)
      return
    }
    if (!Array.isArray(replies) || replies.length !== batch.length) {
      const refusal = this.#wrongReplies(replies, batch.length)
      for (const { answer } of batch) answer.refuse(refusal)
      return
    }
    for (const [index, { answer }] of batch.entries()) {
      const reply: unknown = replies[index]
      if (reply instanceof Promise) {
        reply.then(
          (late: unknown) => answer.reply(late),
          (error: unknown) => this.#refuse(answer, error),
        )
      } else if (reply instanceof Error) this.#refuse(answer, reply)
      else answer.reply(reply)
    }
  }

  #refuse(answer: Answer<unknown>, error: unknown): void {
    answer.refuse(withCode('ACTOR_FAILED', `Actor ${this.#name} refused the message`, error))
  }

  #wrongReplies(replies: unknown, needed: number): Error {
    return engineError('ACTOR_FAILED', {
      found: `receive() of actor ${this.#name} gave ${
        Array.isArray(replies) ? `${replies.length} replies` : describe(replies)
      } to ${needed} messages`,
      allowed: 'an array with one reply for each message, in order',
      action: 'Correct the actor.',
    })
  }
}

/**
 * A user's error as one with a stable code; its text stays in the new one's. An error that has a code of ours already
 * is passed on as it is, unless `always`.
 */
function withCode(
  code: 'START_FAILED' | 'ACTOR_FAILED',
  what: string,
  thrown: unknown,
  when: 'always' | 'if-it-has-none' = 'if-it-has-none',
): unknown {
  const plain = toPlainError(thrown)
  if (when === 'if-it-has-none' && plain.code !== undefined && isErrorCode(plain.code)) return thrown
  return engineError(code, {
    found: `${what}: ${plain.message}`,
    action: 'See `details.cause` for its stack.',
    details: { cause: plain },
    cause: thrown,
  })
}
