/** The user's actors, and the ways to them: a port for each pool thread, and one for the host. */
import type { MessagePort } from 'node:worker_threads'
import { ActorHost } from '../actor/actor-host.ts'
import { defaultRestartBudget, type RestartBudget, stopInReverse } from '../actor/supervision.ts'
import type { Clock } from '../clock.ts'
import { type PlainError, toPlainError } from '../errors.ts'
import type { ActorStart, EngineEvent, SupervisorNotice } from './messages.ts'
import type { PoolThread } from './pool-thread.ts'

/** A job may kill an actor again and again: once that job is given up the others need it. */
const restartBudget: RestartBudget = { ...defaultRestartBudget, againAfterMs: 60_000 }

/** Who uses the actors, and who hears of them. */
export interface ActorUsers {
  /** Threads that are ready, or will be: those that are being greeted have been given ports already. */
  threads(): readonly PoolThread[]
  tellHost(notice: SupervisorNotice, transfer?: readonly MessagePort[]): void
  onEvent(event: EngineEvent): void
}

export class Actors {
  readonly #hosts = new Map<string, ActorHost>()
  readonly #users: ActorUsers
  readonly #failures = new Map<string, PlainError>()
  #starting: Promise<void> | undefined

  constructor(starts: readonly ActorStart[], clock: Clock, users: ActorUsers) {
    this.#users = users
    for (const { name, moduleUrl, options } of starts) {
      const host = new ActorHost(name, { url: moduleUrl }, options, {
        budget: restartBudget,
        clock,
        onRestarted: () => this.#restarted(name, host),
        onFailed: (error) => this.#failed(name, toPlainError(error)),
        onDied: (error) =>
          users.onEvent({
            kind: 'actor-died',
            name,
            error: toPlainError(error),
            willRestart: this.#hosts.get(name)?.state === 'down',
          }),
      })
      this.#hosts.set(name, host)
    }
  }

  /** In the given order, each before the next: one may use what another has made. Later calls share the first one's promise. */
  start(): Promise<void> {
    this.#starting ??= this.#startAll()
    return this.#starting
  }

  async #startAll(): Promise<void> {
    for (const [name, host] of this.#hosts) {
      await host.start()
      this.#connectUsers(name, host)
    }
  }

  /** Fresh ways to all actors, for one thread. That to an actor that is down is closed. */
  connectAll(): Record<string, MessagePort> {
    return Object.fromEntries([...this.#hosts].map(([name, host]) => [name, host.connect()]))
  }

  /** Tells a thread that is new which actors are out of their budget. */
  tellFailures(thread: PoolThread): void {
    for (const [name, error] of this.#failures) thread.notify({ kind: 'actor-failed', name, error })
  }

  /** The old ways to the actor are closed: gives everybody who uses it a new one. */
  #connectUsers(name: string, host: ActorHost): void {
    for (const thread of this.#users.threads()) {
      const port = host.connect()
      thread.notify({ kind: 'actor-port', name, port }, [port])
    }
    const port = host.connect()
    this.#users.tellHost({ kind: 'actor-port', name, port }, [port])
  }

  #restarted(name: string, host: ActorHost): void {
    const hadFailed = this.#failures.delete(name)
    this.#connectUsers(name, host)
    if (hadFailed) this.#users.onEvent({ kind: 'actor-recovered', name })
  }

  #failed(name: string, error: PlainError): void {
    this.#failures.set(name, error)
    for (const thread of this.#users.threads()) thread.notify({ kind: 'actor-failed', name, error })
    this.#users.tellHost({ kind: 'actor-failed', name, error })
  }

  async stop(graceMs: number): Promise<void> {
    await stopInReverse([...this.#hosts.values()], graceMs)
  }
}
