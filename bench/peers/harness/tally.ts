/** Counts up, and lets others wait for a number. */
export class Tally {
  #count = 0
  #waiting: { readonly target: number; readonly resolve: () => void } | undefined

  add(): void {
    this.#count++
    if (this.#waiting !== undefined && this.#count >= this.#waiting.target) {
      this.#waiting.resolve()
      this.#waiting = undefined
    }
  }

  reached(target: number): Promise<void> {
    if (this.#count >= target) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting = { target, resolve }
    return promise
  }
}
