import type { ResourceLimits } from 'node:worker_threads'
import { AskPort } from '../actor/port.ts'
import { ActorThread } from '../actor/thread.ts'
import { limits } from '../config.ts'
import { engineError, hasCode, SemanticaError, toPlainError } from '../errors.ts'
import { bytesOf } from '../store/file-system.ts'
import type {
  HostNotice,
  SupervisorNotice,
  SupervisorProtocol,
  SupervisorStart,
} from '../supervisor/messages.ts'
import { engineStopped, reportOf } from './engine-stopped.ts'

/** The pending characters with which the supervisor's heap is bounded. */
const boundedHeapCharacters = 256_000_000

/** The host's side of the supervisor thread. */
export class SupervisorLink {
  readonly #thread: ActorThread
  readonly #port: AskPort<SupervisorProtocol>
  #isClosing = false

  private constructor(thread: ActorThread, onNotice: (notice: SupervisorNotice) => void) {
    this.#thread = thread
    this.#port = new AskPort<SupervisorProtocol>(thread.port, {
      maxPending: limits.pendingRequests,
      name: 'The supervisor',
      endedError: () => supervisorDied(new Error('its port was closed')),
      // The boundary where the supervisor's notices get their type.
      onTell: (message) => onNotice(message as SupervisorNotice),
    })
  }

  /**
   * @param maxPendingCharacters of the tuning: what the supervisor may have to hold
   * @param onDied the supervisor ended by itself; everything pending has been rejected with the same error
   * @throws what opening the database or loading the modules threw
   */
  static async start(
    start: SupervisorStart,
    maxPendingCharacters: number,
    onNotice: (notice: SupervisorNotice) => void,
    onDied: (error: Error) => void,
  ): Promise<SupervisorLink> {
    const thread = await ActorThread.start({
      name: 'supervisor',
      entry: 'supervisor',
      data: start,
      // An older schema is changed before, and the database copied before that.
      readyTimeoutMs: limits.readyTimeoutMs + Math.ceil(bytesOf(start.database) / limits.upgradedBytesPerMs),
      resourceLimits: memoryFor(maxPendingCharacters),
    }).catch((error: unknown) => {
      throw withSource(error, start.databaseSource)
    })
    const link = new SupervisorLink(thread, onNotice)
    thread.exited.then((exit) => {
      if (link.#isClosing) return
      const cause = exit.kind === 'died' ? exit.error : new Error('It ended')
      const error = supervisorDied(cause)
      link.#port.close(error)
      onDied(error)
    })
    return link
  }

  ask<Kind extends keyof SupervisorProtocol>(
    kind: Kind,
    request: SupervisorProtocol[Kind]['request'],
  ): Promise<SupervisorProtocol[Kind]['reply']> {
    return this.#port.ask(kind, request)
  }

  tell(notice: HostNotice): void {
    this.#port.tell(notice)
  }

  /** The engine could not be started after all: ends the thread, so that its database is free. */
  async abandon(): Promise<void> {
    this.#isClosing = true
    await reportOf(this.ask('stop', { graceMs: 0 }), 0)
    await this.close(engineStopped(), 1_000)
  }

  /** Ends the thread; by force, should it not end by itself. */
  async close(reason: Error, graceMs: number): Promise<void> {
    this.#isClosing = true
    this.#port.close(reason)
    await this.#thread.stop(graceMs)
  }
}

/**
 * Left to itself the heap grows to several times what it holds, on what claims and messages leave behind, and is no
 * faster: V8 lets a heap that may become large grow fourfold between two collections, and one that may not about half
 * as much. Sizes from measurements; 1.9 GB is seven times what the default of `maxPendingCharacters` takes with two bytes
 * each, twice. Who allows more pending characters than a bounded heap could hold gets V8's own bound.
 */
function memoryFor(maxPendingCharacters: number): ResourceLimits {
  const young = { maxYoungGenerationSizeMb: 12 }
  return maxPendingCharacters > boundedHeapCharacters ? young : { ...young, maxOldGenerationSizeMb: 1_900 }
}

/** Whoever finds a database locked that its code does not name has to know what does. */
function withSource(error: unknown, source: string | undefined): unknown {
  if (source === undefined || !(error instanceof SemanticaError) || !hasCode(error, 'DATABASE_LOCKED'))
    return error
  const { code, message, details } = error
  return new SemanticaError(code, `${message} ${source} names this one.`, { details: { ...details, source } })
}

function supervisorDied(cause: Error): Error {
  return engineError('ENGINE_FAILED', {
    found: `The supervisor thread died: ${cause.message}`,
    action: hasCode(cause, 'DATABASE_MOVED')
      ? 'What was acknowledged is in the file that was there.'
      : 'Start the engine again; everything acknowledged is kept.',
    cause,
    details: { error: toPlainError(cause) },
  })
}
