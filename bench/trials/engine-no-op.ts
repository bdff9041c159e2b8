import { type EngineRunParameters, measureEngine } from '../engine-run.ts'
import type { Measurement } from '../trials.ts'
import { noOpJob } from '../workload.ts'

/** Jobs that do nothing: what is left is the engine. */
export function run(parameters: EngineRunParameters): Promise<Measurement> {
  return measureEngine(parameters, { ...noOpJob, result: null })
}
