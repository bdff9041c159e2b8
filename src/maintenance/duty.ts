/**
 * What the maintenance thread does, one duty after another, each in bounded slices.
 *
 * The thread only reads the job database. Whatever changes it is asked of the supervisor, which does it in a short
 * transaction of its own between two cycles, and answers when it can spare the next one.
 */
import type { AskPort } from '../actor/port.ts'
import type { Clock } from '../clock.ts'
import type { MaintenanceSettings } from '../config.ts'
import type { DatabaseId } from '../job/id.ts'
import type { Database } from '../store/open.ts'
import type { DutyName, DutyReport, MaintenanceProtocol } from '../supervisor/messages.ts'

export type { DutyName, DutyReport }

export interface Duty {
  readonly name: DutyName
  /** One bounded slice; false when nothing is left. */
  runOnce(): Promise<boolean>
  report(): DutyReport
}

/** What a duty is given. */
export interface DutySurroundings {
  /** Read-only. A statement must be read to its end before the next wait: a snapshot that stays open keeps the WAL. */
  readonly database: Database
  readonly databaseId: DatabaseId
  readonly settings: MaintenanceSettings
  /** Whether all of the database is looked at too. */
  readonly checksIntegrity: boolean
  readonly clock: Clock
  /** The way to the supervisor: a request is answered after its commit. */
  readonly supervisor: Pick<AskPort<MaintenanceProtocol>, 'ask'>
}
