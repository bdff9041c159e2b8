/**
 * The main door: the engine, and its built-in workload. Job modules import from `semantica-task-engine/jobs` instead, which
 * is cheap to load.
 */
import type { IndexOptions, IndexSummary } from './indexer/index-directory.ts'

export {
  type AlertOptions,
  type Configuration,
  type Durability,
  defineConfig,
  type EffectiveSetting,
  type LoadMeasure,
  type LogLevel,
  type MaintenanceOptions,
  type MetricsOptions,
  type ThrottleOptions,
} from './config.ts'
export type { BackupOptions } from './engine/backups.ts'
export type { BulkJob, BulkReport } from './engine/bulk.ts'
export { effectiveSettings } from './engine/effective-settings.ts'
export { Engine } from './engine/engine.ts'
export type { Job } from './engine/job.ts'
export type { FailedAttempt, JobArtifact, JobDetails, JobProgress, JobRecord } from './engine/job-record.ts'
export type { JobPage, ListFilter } from './engine/list.ts'
export type { EngineMetrics } from './engine/observation.ts'
export type { ActorOption, EngineOptions } from './engine/options.ts'
export type { SubprocessOptions } from './engine/subprocess-option.ts'
export type { GivenCriteria, JobCriteria } from './job/criteria.ts'
export type { FinalState, JobState, WaitsFor } from './job/state.ts'
export * from './jobs.ts'
export type { BackupReport } from './store/messages.ts'
export type {
  CancelAnswer,
  CancelReport,
  DutyName,
  DutyReport,
  MaintenanceReport,
  MaintenanceStatus,
  StopReport,
  SupervisorStats as EngineStats,
} from './supervisor/messages.ts'
export type { Alert, AlertKind } from './telemetry/alerts.ts'
export type { EngineEventMap } from './telemetry/events.ts'
export type { IndexOptions, IndexSummary }

/**
 * Brings the index of a directory up to date, as `semantica index` does: one durable job per changed file, on every core.
 * The indexer is loaded with the first call.
 *
 * @throws PATH_INVALID, DATABASE_LOCKED while another run is under way, DISK_FULL and the other errors of a database
 * @example const { indexed, failed } = await indexDirectory({ directory: 'src' })
 */
export async function indexDirectory(options: IndexOptions): Promise<IndexSummary> {
  const indexer = await import('./indexer/index-directory.ts')
  return indexer.indexDirectory(options)
}
