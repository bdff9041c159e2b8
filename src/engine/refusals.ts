/**
 * Tells of requests that were rejected, as the event `request-refused`. Of a flood, as of a producer that does not wait
 * for room, the first ones of each second have an event each, and the others one together.
 */
import type { Clock, Timer } from '../clock.ts'
import { limits } from '../config.ts'
import { toPlainError } from '../errors.ts'
import type { ActorReference } from '../job/context.ts'
import type { EngineEventMap, EngineEvents } from '../telemetry/events.ts'

/** A method of the engine. */
type RequestName =
  | 'enqueue'
  | 'enqueueMany'
  | 'cancel'
  | 'retry'
  | 'get'
  | 'list'
  | 'readLog'
  | 'backup'
  | 'actor'
  | 'stop'

export interface RefusedRequest {
  readonly jobType?: string | undefined
  readonly jobId?: string | undefined
  /** How many were refused together. */
  readonly requests?: number
}

/** Refused requests of one second that are told together. */
interface Rest {
  readonly request: RequestName
  readonly code: string
  requests: number
}

const windowMs = 1_000
/** As much as an id or a job type may have. */
const maxNameCharacters = 128

export class Refusals {
  readonly #events: EngineEvents
  readonly #clock: Clock
  #toldInWindow = 0
  #window: Timer | undefined
  readonly #rest = new Map<string, Rest>()

  constructor(events: EngineEvents, clock: Clock) {
    this.#events = events
    this.#clock = clock
  }

  /** Tells of the error, if there is one, and lets it through. */
  async watch<Reply>(request: RequestName, about: RefusedRequest, ask: () => Promise<Reply>): Promise<Reply> {
    try {
      return await ask()
    } catch (error) {
      this.refused(request, error, about)
      throw error
    }
  }

  /** The actor that `find` finds; tells of the error if it finds none, and if it is asked and rejects. */
  watchActor(find: () => ActorReference): ActorReference {
    try {
      const actor = find()
      return { ask: (message) => this.watch('actor', {}, () => actor.ask(message)) }
    } catch (error) {
      this.refused('actor', error, {})
      throw error
    }
  }

  refused(request: RequestName, error: unknown, about: RefusedRequest): void {
    if (!this.#events.hasListeners('request-refused')) return
    const { name, code = name, message } = toPlainError(error)
    const { requests = 1 } = about
    const [jobType, jobId] = [named(about.jobType), named(about.jobId)]
    this.#window ??= this.#clock.startTimer(windowMs, () => this.#endWindow())
    if (this.#toldInWindow < limits.refusalLinesPerSecond) {
      this.#toldInWindow++
      this.#tell({ request, code, message, requests, jobType, jobId })
      return
    }
    const key = `${request} ${code}`
    const rest = this.#rest.get(key) ?? { request, code, requests: 0 }
    rest.requests += requests
    this.#rest.set(key, rest)
  }

  /** Tells what waits to be told. */
  close(): void {
    if (this.#window !== undefined) this.#endWindow()
  }

  #endWindow(): void {
    this.#window?.cancel()
    this.#window = undefined
    this.#toldInWindow = 0
    const rest = [...this.#rest.values()]
    this.#rest.clear()
    for (const { request, code, requests } of rest) {
      const message = `${requests.toLocaleString('en')} more within a second`
      this.#tell({ request, code, message, requests, jobType: undefined, jobId: undefined })
    }
  }

  #tell(event: EngineEventMap['request-refused']): void {
    this.#events.emit('request-refused', event)
  }
}

/** What was refused may be anything. */
function named(name: unknown): string | undefined {
  return typeof name === 'string' ? name.slice(0, maxNameCharacters) : undefined
}
