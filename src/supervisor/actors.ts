/** The user's actors, and the ways to them: a port for each pool thread, and one for the host. */
import type { MessagePort } from 'node:worker_threads'
import { ActorHost } from '../actor/actor-host.ts'
import { defaultRestartBudget, stopInReverse } from '../actor/supervision.ts'
import type { Clock } from '../clock.ts'
import { type PlainError, toPlainError } from '../errors.ts'
import type { ActorStart, EngineEvent } from './messages.ts'

export interface ActorListener {
  /** The old ways to the actor are closed: give everybody who uses it a new one. */
  onRestarted(name: string): void
  onFailed(name: string, error: PlainError): void
  onEvent(event: EngineEvent): void
}

export class Actors {
  readonly #hosts = new Map<string, ActorHost>()

  constructor(starts: readonly ActorStart[], clock: Clock, listener: ActorListener) {
    for (const { name, moduleUrl, options } of starts) {
      const host = new ActorHost(name, { url: moduleUrl }, options, {
        budget: defaultRestartBudget,
        clock,
        onRestarted: () => listener.onRestarted(name),
        onFailed: (error) => listener.onFailed(name, toPlainError(error)),
        onDied: (error) =>
          listener.onEvent({
            kind: 'actor-died',
            name,
            error: toPlainError(error),
            willRestart: this.#hosts.get(name)?.state === 'down',
          }),
      })
      this.#hosts.set(name, host)
    }
  }

  get names(): string[] {
    return [...this.#hosts.keys()]
  }

  /** In the given order, each before the next: one may use what another has made. */
  async start(): Promise<void> {
    for (const host of this.#hosts.values()) await host.start()
  }

  /** A fresh way to the actor, closed while the actor is down. */
  connect(name: string): MessagePort | undefined {
    return this.#hosts.get(name)?.connect()
  }

  connectAll(): Record<string, MessagePort> {
    return Object.fromEntries([...this.#hosts].map(([name, host]) => [name, host.connect()]))
  }

  async stop(graceMs: number): Promise<void> {
    await stopInReverse([...this.#hosts.values()], graceMs)
  }
}
