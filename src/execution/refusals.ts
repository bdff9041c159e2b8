/**
 * What a handler enqueued, and was refused, where it does not look.
 *
 * Whoever awaits the promise, or gives it a handler, is told, and decides what becomes of it. A refusal that nobody looks at
 * would be lost: the attempt would succeed without a job that belongs to it.
 */
interface Refusal {
  readonly error: unknown
  readonly told: WatchedPromise<void>
}

/** Knows whether anybody has looked. `await` calls `then` too, since it is no plain promise. */
class WatchedPromise<Value> extends Promise<Value> {
  isWatched = false

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  // biome-ignore lint/suspicious/noThenProperty: it is one that a promise has
  override then<Fulfilled = Value, Rejected = never>(
    onFulfilled?: ((value: Value) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.isWatched = true
    return super.then(onFulfilled, onRejected)
  }
}

export class Refusals {
  readonly #refusals: Refusal[] = []

  /** What the handler is given of a refusal. */
  refuse(error: unknown): Promise<void> {
    const told = new WatchedPromise<void>((_, reject) => reject(error))
    this.#refusals.push({ error, told })
    return told
  }

  /** The same of one that is known later. */
  refuseLater(adding: Promise<void>): Promise<void> {
    const told: WatchedPromise<void> = new WatchedPromise<void>((resolve, reject) => {
      adding.then(resolve, (error: unknown) => {
        this.#refusals.push({ error, told })
        reject(error)
      })
    })
    return told
  }

  /** The first that nobody has looked at. */
  unseen(): { readonly error: unknown } | undefined {
    return this.#refusals.find(({ told }) => !told.isWatched)
  }

  /** They are told with the outcome of the attempt, and by nothing else. */
  conceal(): void {
    for (const { told } of this.#refusals) if (!told.isWatched) told.catch(() => {})
  }
}
