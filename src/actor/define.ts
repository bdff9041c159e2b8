import { describe, invalidOption } from '../errors.ts'

/**
 * An actor: a thread that owns a resource (a database, a model, a socket) and is reached only by messages.
 * Every message gets one reply; `receive` is given all that wait, so that one transaction can serve many.
 */
export interface ActorDefinition<Options, State, Message, Reply> {
  /** Opens the resource. The engine is ready only when it has resolved; a throw ends the thread. */
  start(options: Options): State | Promise<State>
  /**
   * Serves what waits, oldest first; at least one message, at most 1,000. Gives one reply for each, in order. A reply that
   * is an Error refuses that message alone; a throw refuses them all (ACTOR_FAILED). Not called again before it has
   * settled. A reply that is a promise goes out when that settles, and `receive` is called meanwhile.
   *
   * @param askers for each message, a signal that fires when whoever sent it is gone: nobody will read the reply
   */
  receive(
    messages: readonly Message[],
    state: State,
    askers: readonly AbortSignal[],
  ): readonly (Reply | Promise<Reply>)[] | Promise<readonly (Reply | Promise<Reply>)[]>
  /** Closes the resource. Called once, after the last `receive`; not called when the thread is ended by force. */
  stop?(state: State): void | Promise<void>
}

const moduleMark = Symbol.for('semantica-task-engine.actor')

// biome-ignore lint/suspicious/noExplicitAny: the one place where actors of every message and reply meet
export type AnyActorDefinition = ActorDefinition<any, any, any, any>

export interface ActorModule<Definition = AnyActorDefinition> {
  readonly url: string
  readonly definition: Definition
}

/**
 * Declares an actor. Make it the module's default export: the actor's thread imports the module by `url`.
 *
 * @param url `import.meta.url` of the module
 * @throws OPTION_INVALID when `start` or `receive` is missing
 * @example
 * export default defineActor(import.meta.url, {
 *   start: ({ path }: { path: string }) => new Database(path),
 *   receive: (rows: readonly Row[], database) => rows.map((row) => insert(database, row)),
 *   stop: (database) => database.close(),
 * })
 */
export function defineActor<Options, State, Message, Reply>(
  url: string,
  definition: ActorDefinition<Options, State, Message, Reply>,
): ActorModule<ActorDefinition<Options, State, Message, Reply>> {
  if (!/^(file|data):/.test(url))
    throw invalidOption('the url of defineActor', describe(url), "the module's own `import.meta.url`")
  if (typeof definition?.start !== 'function')
    throw invalidOption('start', describe(definition?.start), 'a function')
  if (typeof definition.receive !== 'function')
    throw invalidOption('receive', describe(definition.receive), 'a function')
  if (definition.stop !== undefined && typeof definition.stop !== 'function') {
    throw invalidOption('stop', describe(definition.stop), 'a function')
  }
  return Object.freeze({ [moduleMark]: true, url, definition: Object.freeze({ ...definition }) })
}

export function isActorModule(value: unknown): value is ActorModule {
  return typeof value === 'object' && value !== null && moduleMark in value
}
