import { type EngineRunParameters, measureEngine } from '../engine-run.ts'
import { hashFor } from '../hash.ts'
import type { EngineMeasurement } from '../trials.ts'

/** Jobs that keep a core busy. */
export function run(
  parameters: EngineRunParameters & { readonly rounds: number },
): Promise<EngineMeasurement> {
  const { rounds } = parameters
  return measureEngine(parameters, { type: 'HASH', payload: { rounds }, result: hashFor(rounds) })
}
