/** The main door: the engine. Job modules import from `semantica-task-engine/jobs` instead, which is cheap to load. */

export type { Durability, LogLevel } from './config.ts'
export type { BulkJob, BulkReport } from './engine/bulk.ts'
export { Engine } from './engine/engine.ts'
export type { Job } from './engine/job.ts'
export type { FailedAttempt, JobDetails, JobRecord } from './engine/job-record.ts'
export type { JobPage, ListFilter } from './engine/list.ts'
export type { ActorOption, EngineOptions } from './engine/options.ts'
export type { FinalState, JobState } from './job/state.ts'
export * from './jobs.ts'
export type { CancelAnswer, StopReport, SupervisorStats as EngineStats } from './supervisor/messages.ts'
export type { EngineEventMap } from './telemetry/events.ts'
