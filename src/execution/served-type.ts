import { type AnyJobDefinition, isProgram } from '../job/definition.ts'

/** A job type that this thread serves, and how its handlers have returned here. */
export class ServedType {
  readonly definition: AnyJobDefinition
  /** Its handlers do nothing but wait for a program. */
  readonly isProgram: boolean
  /** How many of its handlers in a row have returned synchronously. */
  quietRuns = 0
  /** How many of its jobs have ended; from some number on they are not counted. */
  ends = 0
  #waits: boolean | undefined

  constructor(definition: AnyJobDefinition) {
    this.definition = definition
    this.isProgram = isProgram(definition)
  }

  /** False: some of its handlers have returned a value, and none a promise. */
  get mayWait(): boolean {
    return this.#waits !== false
  }

  /** A handler returned a promise. */
  waited(): void {
    this.quietRuns = 0
    this.#waits = true
  }

  /** A handler returned a value. */
  returned(): void {
    this.quietRuns++
    this.#waits ??= false
  }
}

/** Whether a handler has returned what must be waited for. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
