import type { LoadMeasure, ThrottleOptions } from '../config.ts'
import { checkFields, checkNumber } from '../job/definition.ts'

/** The host's own measure of the load. One that fails counts as not known; the first failure is a process warning. */
export class OwnMeasure {
  readonly #measure: ThrottleOptions['measure']
  readonly #tell: (load: LoadMeasure) => void
  #hasFailed = false

  constructor(measure: ThrottleOptions['measure'], tell: (load: LoadMeasure) => void) {
    this.#measure = measure
    this.#tell = tell
  }

  async answer(): Promise<void> {
    try {
      const load: unknown = await this.#measure?.()
      this.#tell(checkLoad(load))
    } catch (error) {
      this.#tell({})
      if (this.#hasFailed) return
      this.#hasFailed = true
      const why = error instanceof Error ? error.message : String(error)
      process.emitWarning(`throttle.measure failed: ${why}`, { code: 'SEMANTICA_MEASURE_FAILED' })
    }
  }
}

/** @throws OPTION_INVALID when it is not what a measure may tell */
function checkLoad(load: unknown): LoadMeasure {
  const name = 'what throttle.measure returned'
  checkFields(name, load)
  // Anything else that it holds may be what cannot cross to another thread.
  const { cpuPercent, memoryPercent }: LoadMeasure = load
  if (cpuPercent !== undefined) checkNumber(`cpuPercent in ${name}`, cpuPercent, 0, 100)
  if (memoryPercent !== undefined) checkNumber(`memoryPercent in ${name}`, memoryPercent, 0, 100)
  return { cpuPercent, memoryPercent }
}
