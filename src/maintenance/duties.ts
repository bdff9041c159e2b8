import { CheckIntegrity } from './check-integrity.ts'
import { Compact } from './compact.ts'
import type { Duty, DutySurroundings } from './duty.ts'
import { PruneArtifacts } from './prune-artifacts.ts'
import { PruneJobs } from './prune-jobs.ts'

/** The duties of a run, in their order: what is deleted first is given back to the disk then. */
export async function makeDuties(surroundings: DutySurroundings): Promise<readonly Duty[]> {
  const duties = [new PruneJobs(surroundings), new PruneArtifacts(surroundings), new Compact(surroundings)]
  return surroundings.checksIntegrity ? [...duties, new CheckIntegrity(surroundings)] : duties
}
