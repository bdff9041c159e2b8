/** What the host, the supervisor and the maintenance thread say to each other about maintenance. */
import type { MaintenanceSettings } from '../config.ts'
import type { PlainError } from '../errors.ts'
import type { ExpiryTimes } from '../job/expiration.ts'
import type { FinalState } from '../job/state.ts'

export type DutyName = 'prune-jobs' | 'prune-artifacts' | 'compact' | 'check-integrity'

/** Why a run was begun: its time had come, it was overdue at the start, the file had passed its limit, or it was asked for. */
export type MaintenanceReason = 'scheduled' | 'overdue' | 'size' | 'asked'

/** What one duty has done in a run. */
export interface DutyReport {
  readonly duty: DutyName
  readonly deletedJobs: number
  /** Those of them whose retention was not over: for `maxFinishedJobs` or `maxDatabaseMb`. */
  readonly deletedEarly: number
  readonly deletedArtifacts: number
  /** Given back to the disk: by the database file, or by files that were deleted. */
  readonly reclaimedBytes: number
  /** What was looked at: rows, files or pages. */
  readonly examined: number
  readonly details?: string | undefined
  /** What it failed with; the rest tells what it had done before. */
  readonly failure?: PlainError | undefined
}

export interface MaintenanceTotals {
  readonly deletedJobs: number
  /** Those of them whose retention was not over: for `maxFinishedJobs` or `maxDatabaseMb`. */
  readonly deletedEarly: number
  readonly deletedArtifacts: number
  readonly reclaimedBytes: number
  readonly elapsedMs: number
}

/** `failed`: a duty failed, and the others were done all the same; or the run was ended by what it failed with. */
export type MaintenanceOutcome = 'completed' | 'failed'

/** What a run has done. */
export interface MaintenanceReport extends MaintenanceTotals {
  readonly reason: MaintenanceReason
  readonly startedAt: Date
  readonly outcome: MaintenanceOutcome
  readonly duties: readonly DutyReport[]
}

/** What the duty that is under way has done so far. */
export type MaintenanceProgress = Omit<DutyReport, 'details' | 'failure'>

export interface MaintenanceStatus {
  /** The run that is under way. */
  readonly running:
    | {
        readonly reason: MaintenanceReason
        readonly startedAt: Date
        readonly progress: MaintenanceProgress | undefined
      }
    | undefined
  /** The last run that came to its end, also one of an engine before this one. */
  readonly lastRun:
    | (MaintenanceTotals & { readonly startedAt: Date; readonly failure: PlainError | undefined })
    | undefined
  /** When the next run is due; undefined: runs are only begun by `runNow`. */
  readonly nextRunAt: Date | undefined
}

/** What the maintenance thread is started with. */
export interface MaintenanceStart {
  readonly path: string
  readonly databaseId: string
  readonly settings: MaintenanceSettings
  /** Whether all of the database is looked at too. */
  readonly checksIntegrity: boolean
}

/** What the maintenance thread asks of the supervisor. Each is done in slices, and answered after the last one's commit. */
export type MaintenanceProtocol = {
  readonly 'prune-jobs': { readonly request: PruneRequest; readonly reply: PruneReply }
  /** Gives free pages back to the disk: so many at the most. */
  readonly compact: { readonly request: { readonly pages: number }; readonly reply: CompactReply }
}

export interface PruneRequest {
  /** In the order of their numbers. */
  readonly items: readonly PruneItem[]
  /** Whether what becomes free is given back to the disk at once. */
  readonly compacts: boolean
}

/** Neighbours of one queue that ended in the same way. */
export interface PruneItem {
  readonly first: number
  readonly last: number
  readonly state: FinalState
  readonly queue: string
  /** Only those go that finished by then. */
  readonly finishedBy: number
  /** Of a job about a subject, which stands alone. */
  readonly subjectKey: string | null
  /** What may still be noted to run out, of a job that stands alone. */
  readonly times: ExpiryTimes | undefined
}

/** The size of the database, in pages. */
export interface DatabaseSize {
  readonly pages: number
  readonly freePages: number
}

export interface CompactReply extends DatabaseSize {
  readonly vacuumedPages: number
}

export interface PruneReply extends CompactReply {
  readonly deletedJobs: number
}

/** What the maintenance thread tells, beside what it asks. */
export type MaintenanceNotice =
  | { readonly kind: 'progress'; readonly progress: MaintenanceProgress }
  /** The next duty begins all the same. */
  | { readonly kind: 'duty-failed'; readonly duty: DutyName; readonly error: PlainError }
  | { readonly kind: 'finished'; readonly duties: readonly DutyReport[] }
