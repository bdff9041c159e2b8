import { CheckIntegrity } from './check-integrity.ts'
import { Compact } from './compact.ts'
import type { Duty, DutySurroundings } from './duty.ts'
import { PruneArtifacts } from './prune-artifacts.ts'
import { PruneJobs } from './prune-jobs.ts'

/** The duties of a run, in their order: what is deleted first is given back to the disk then. */
export function makeDuties(surroundings: DutySurroundings): readonly Duty[] {
  const pruneJobs = new PruneJobs(surroundings)
  const compact = new Compact(surroundings, () => pruneJobs.compacts)
  const duties = [pruneJobs, new PruneArtifacts(surroundings), compact]
  return surroundings.checksIntegrity ? [...duties, new CheckIntegrity(surroundings)] : duties
}
