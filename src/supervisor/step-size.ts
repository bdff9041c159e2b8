/**
 * How much one step of a long work holds, so that it takes about a millisecond on any machine: a slice of steps then ends
 * about when it should.
 */
import { limits } from '../config.ts'

export class StepSize {
  readonly #least: number
  readonly #most: number
  #size: number

  constructor({
    least,
    first,
    most,
  }: { readonly least: number; readonly first: number; readonly most: number }) {
    this.#least = least
    this.#most = most
    this.#size = first
  }

  get size(): number {
    return this.#size
  }

  /** A step of this size took so long: the next one may hold up to twice as much, or has to hold down to a quarter. */
  took(ms: number): void {
    const factor = Math.min(2, Math.max(0.25, limits.stepMs / Math.max(ms, 0.001)))
    this.#size = Math.round(Math.min(this.#most, Math.max(this.#least, this.#size * factor)))
  }
}
