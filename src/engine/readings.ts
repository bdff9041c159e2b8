/** The host's side of the reader thread, which is started with the first question. */
import { AskPort } from '../actor/port.ts'
import { defaultRestartBudget, SupervisedThread } from '../actor/supervision.ts'
import { systemClock } from '../clock.ts'
import { limits } from '../config.ts'
import { engineError } from '../errors.ts'
import type { ReaderProtocol } from '../store/messages.ts'

export class Readings {
  readonly #thread: SupervisedThread
  #port: AskPort<ReaderProtocol> | undefined
  #starting: Promise<void> | undefined
  #closedBy: Error | undefined

  constructor(databasePath: string) {
    const spec = {
      name: 'reader',
      entry: 'reader',
      data: { path: databasePath },
      readyTimeoutMs: limits.readyTimeoutMs,
    } as const
    this.#thread = new SupervisedThread(() => spec, {
      budget: defaultRestartBudget,
      clock: systemClock,
      onStarted: (thread) => {
        this.#port = new AskPort(thread.port, { maxPending: limits.pendingRequests, name: 'The reader' })
      },
      // Who asked meanwhile is refused, and may ask again.
      onDied: () => {
        this.#port = undefined
      },
    })
  }

  async ask<Kind extends keyof ReaderProtocol>(
    kind: Kind,
    request: ReaderProtocol[Kind]['request'],
  ): Promise<ReaderProtocol[Kind]['reply']> {
    if (this.#closedBy !== undefined) throw this.#closedBy
    this.#starting ??= this.#thread.start()
    await this.#starting
    if (this.#closedBy !== undefined) throw this.#closedBy
    if (this.#port === undefined) {
      throw engineError('ENGINE_FAILED', {
        found: 'The reader thread is down',
        action: 'Try again; if that does not help, start the engine anew.',
      })
    }
    return this.#port.ask(kind, request)
  }

  async close(reason: Error): Promise<void> {
    this.#closedBy = reason
    this.#port?.close(reason)
    if (this.#starting !== undefined) await this.#thread.stop(1_000)
  }
}
