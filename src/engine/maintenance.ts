import type { MaintenanceReport, MaintenanceStatus } from '../supervisor/messages.ts'
import type { SupervisorLink } from './supervisor-link.ts'

/** Keeps the database small while jobs run: see the option `maintenance`. */
export class EngineMaintenance {
  readonly #link: Pick<SupervisorLink, 'ask'>

  constructor(link: Pick<SupervisorLink, 'ask'>) {
    this.#link = link
  }

  /**
   * Begins a run, or joins the one that is under way, and resolves to what it has done. Jobs go on meanwhile.
   *
   * @throws what a duty failed with, after the others have been done, with their report in `details.report`: DISK_FULL, ARTIFACTS_NOT_PRUNED, DATABASE_CORRUPT, …; ENGINE_STOPPED
   * @example const { deletedJobs, reclaimedBytes } = await engine.maintenance.runNow()
   */
  runNow(): Promise<MaintenanceReport> {
    return this.#link.ask('maintain', null)
  }

  /** The run that is under way, the last one, and when the next is due. */
  status(): Promise<MaintenanceStatus> {
    return this.#link.ask('maintenance-status', null)
  }
}
