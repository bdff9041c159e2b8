/**
 * What a handler enqueued, and was refused, where it does not look.
 *
 * Whoever awaits the promise, or gives it a handler, is told, and decides what becomes of it. A refusal that nobody looks at
 * would be lost: the attempt would succeed without a job that belongs to it.
 */

/** Tells when somebody looks. `await` calls `then` too, since it is no plain promise. */
class WatchedPromise<Value> extends Promise<Value> {
  isWatched = false
  onWatch: (() => void) | undefined

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  // biome-ignore lint/suspicious/noThenProperty: it is one that a promise has
  override then<Fulfilled = Value, Rejected = never>(
    onFulfilled?: ((value: Value) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.isWatched = true
    this.onWatch?.()
    return super.then(onFulfilled, onRejected)
  }
}

export class Refusals {
  /** Those that nobody has looked at, the oldest first. A handler may be refused without end, and look at each. */
  readonly #unseen = new Map<WatchedPromise<void>, { readonly error: unknown }>()
  /** What may be refused yet. */
  readonly #pending = new Set<Promise<void>>()
  #isConcealed = false

  /** What the handler is given of a refusal. */
  refuse(error: unknown): Promise<void> {
    const told = new WatchedPromise<void>((_, reject) => reject(error))
    this.#refused(told, error)
    return told
  }

  /** The same of one that is known later. */
  refuseLater(adding: Promise<void>): Promise<void> {
    this.#pending.add(adding)
    const told: WatchedPromise<void> = new WatchedPromise<void>((resolve, reject) => {
      adding.then(
        () => {
          this.#pending.delete(adding)
          resolve()
        },
        (error: unknown) => {
          this.#pending.delete(adding)
          reject(error)
          this.#refused(told, error)
        },
      )
    })
    return told
  }

  get isPending(): boolean {
    return this.#pending.size > 0
  }

  /** Resolves once all that has been asked for so far was added or refused. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#pending)
  }

  /** The first that nobody has looked at. */
  unseen(): { readonly error: unknown } | undefined {
    for (const refusal of this.#unseen.values()) return refusal
    return undefined
  }

  /** They are told with the outcome of the attempt, and by nothing else. */
  conceal(): void {
    this.#isConcealed = true
    for (const told of [...this.#unseen.keys()]) told.catch(() => {})
  }

  #refused(told: WatchedPromise<void>, error: unknown): void {
    if (told.isWatched) return
    if (this.#isConcealed) {
      told.catch(() => {})
      return
    }
    this.#unseen.set(told, { error })
    told.onWatch = () => this.#unseen.delete(told)
  }
}
