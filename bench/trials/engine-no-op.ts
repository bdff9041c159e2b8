import { type EngineRunParameters, measureEngine } from '../engine-run.ts'
import type { EngineMeasurement } from '../trials.ts'
import { noOpJob } from '../workload.ts'

/** Jobs that do nothing: what is left is the engine. */
export function run(parameters: EngineRunParameters): Promise<EngineMeasurement> {
  return measureEngine(parameters, { ...noOpJob, result: null })
}
