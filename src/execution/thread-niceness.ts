import { makeThreadNicer } from '../actor/thread-priority.ts'
import type { ControlBlock } from './control-block.ts'

/** So much work is looked at together; two such looks in a row decide. One may be what a handler imports when first called. */
const windowMs = 100
const looks = 2
/** Jobs that take less on average are over before anybody has to wait for them. */
const longJobMs = 1

/**
 * Makes its thread nicer once its handlers turn out to take long, and not before: one that runs tiny jobs hands them over
 * all the time to the threads that it would give way to, and a system does not let a thread back to where it was.
 */
export class ThreadNiceness {
  readonly #makeNicer: (degrees: number) => void
  #degrees: number
  #jobs = 0
  #costMs = 0
  #longLooks = 0

  /** @param degrees how nice it becomes; 0: never */
  constructor(degrees: number, makeNicer: (degrees: number) => void = makeThreadNicer) {
    this.#degrees = degrees
    this.#makeNicer = makeNicer
  }

  /** To be called with each batch that the thread has run. */
  ran(control: ControlBlock): void {
    if (this.#degrees === 0) return
    const { jobs, totalMs } = control.spent()
    this.#jobs += jobs
    this.#costMs += totalMs
    if (this.#costMs < windowMs) return
    this.#longLooks = this.#costMs / this.#jobs < longJobMs ? 0 : this.#longLooks + 1
    this.#jobs = 0
    this.#costMs = 0
    if (this.#longLooks < looks) return
    this.#makeNicer(this.#degrees)
    this.#degrees = 0
  }
}
