import { type FinalState, finalStates } from '../job/state.ts'
import type { NumberOption, OptionFor, SwitchOption } from './option.ts'

/** What of maintenance can be set from outside of the program too. Days and hours may be fractions. */
export interface MaintenanceLimits {
  /** How often a run is begun, up to a tenth earlier by chance, 0.001 to 8,760. Default 24. `SEMANTICA_MAINTENANCE_INTERVAL_HOURS` */
  readonly intervalHours: number
  /** How long finished jobs are kept, 0 to 36,500. Default 7. `SEMANTICA_RETENTION_DAYS` */
  readonly retentionDays: number
  /** Finished jobs that are kept at most, the youngest; 0: any number. Default 0. `SEMANTICA_MAX_FINISHED_JOBS` */
  readonly maxFinishedJobs: number
  /**
   * Size, in MB, from which the file is compacted, and the oldest finished jobs are deleted whatever their age, until what
   * is left takes nine tenths of it; 0: any size. Default 1,000. `SEMANTICA_MAX_DB_SIZE_MB`
   */
  readonly maxDatabaseMb: number
  /** Share of the file that may be free before it is compacted, in percent, 1 to 100 (never). Default 25. `SEMANTICA_COMPACT_FREE_PERCENT` */
  readonly compactFreePercent: number
  /** How long artifacts are kept after their job has finished, 0 to 36,500. Default 3. `SEMANTICA_ARTIFACT_RETENTION_DAYS` */
  readonly artifactRetentionDays: number
}

/** Undefined: as `retentionDays` says. */
export type RetentionByState = Readonly<Record<FinalState, number | undefined>>

/** What is kept for how long, and when the file is made smaller. */
export interface MaintenanceOptions extends Partial<MaintenanceLimits> {
  /** How long finished jobs of a state are kept, in milliseconds, in place of `retentionDays`. `SEMANTICA_RETENTION_MS_DONE` and so on */
  readonly retentionMs?: Partial<RetentionByState>
}

/** The effective options of maintenance. */
export interface MaintenanceSettings {
  /** False: a run is only begun when it is asked for. */
  readonly isScheduled: boolean
  readonly intervalMs: number
  readonly retentionMs: Readonly<Record<FinalState, number>>
  /** Undefined: any number. */
  readonly maxFinishedJobs: number | undefined
  /** Undefined: any size. */
  readonly maxDatabaseBytes: number | undefined
  readonly compactFreePercent: number
  readonly artifactRetentionMs: number
}

const msPerHour = 3_600_000
const msPerDay = 24 * msPerHour
const maxDays = 36_500

export const maintenanceSwitch: SwitchOption = {
  kind: 'switch',
  holdsOptions: true,
  variable: 'SEMANTICA_MAINTENANCE',
  fallback: () => true,
  fallbackText: 'on',
  meaning:
    'how long finished jobs are kept, and when the file is made smaller, see [below](#maintenance); `false` or `off`: only when asked',
}

export const maintenanceOptions = {
  retentionDays: {
    kind: 'number',
    variable: 'SEMANTICA_RETENTION_DAYS',
    minimum: 0,
    maximum: maxDays,
    fallback: () => 7,
    isFraction: true,
    meaning: 'how long jobs are kept after they have finished',
  },
  artifactRetentionDays: {
    kind: 'number',
    variable: 'SEMANTICA_ARTIFACT_RETENTION_DAYS',
    minimum: 0,
    maximum: maxDays,
    fallback: () => 3,
    isFraction: true,
    meaning: 'how long artifacts are kept after their job has finished, if that is shorter',
  },
  maxFinishedJobs: {
    kind: 'number',
    variable: 'SEMANTICA_MAX_FINISHED_JOBS',
    minimum: 0,
    maximum: 1_000_000_000,
    fallback: () => 0,
    fallbackText: '0 (any number)',
    meaning: 'of more finished jobs the oldest are deleted, whatever their age',
  },
  maxDatabaseMb: {
    kind: 'number',
    variable: 'SEMANTICA_MAX_DB_SIZE_MB',
    minimum: 0,
    maximum: 1_000_000_000,
    fallback: () => 1_000,
    meaning:
      'a file that grows over this is maintained at once and compacted; while what it holds takes more, the oldest finished jobs are deleted, **whatever their age**, down to nine tenths of it (0: any size)',
  },
  compactFreePercent: {
    kind: 'number',
    variable: 'SEMANTICA_COMPACT_FREE_PERCENT',
    minimum: 1,
    maximum: 100,
    fallback: () => 25,
    meaning: 'share of the file that may be free before it is compacted (100: never)',
  },
  intervalHours: {
    kind: 'number',
    variable: 'SEMANTICA_MAINTENANCE_INTERVAL_HOURS',
    minimum: 0.001,
    maximum: 8_760,
    fallback: () => 24,
    isFraction: true,
    meaning:
      'how often, less up to a tenth at random; the last run is remembered, and one that was missed comes a second after the start',
  },
} as const satisfies { readonly [Name in keyof MaintenanceLimits]: OptionFor<MaintenanceLimits[Name]> }

/** By state: what of it is not given is kept for `retentionDays`. */
export const retentionOptions: Readonly<Record<FinalState, NumberOption>> = {
  DONE: retentionOf('DONE'),
  FAILED: retentionOf('FAILED'),
  CANCELLED: retentionOf('CANCELLED'),
  SUPERSEDED: retentionOf('SUPERSEDED'),
  SKIPPED_TTL: retentionOf('SKIPPED_TTL'),
  SKIPPED_DEADLINE: retentionOf('SKIPPED_DEADLINE'),
}

function retentionOf(state: FinalState): NumberOption {
  return {
    kind: 'number',
    variable: `SEMANTICA_RETENTION_MS_${state}`,
    minimum: 0,
    maximum: maxDays * msPerDay,
    fallback: () => undefined,
    isFraction: true,
    meaning: `how long jobs that ended as ${state} are kept, in milliseconds, in place of retentionDays`,
  }
}

export function settingsOf(
  given: MaintenanceLimits,
  byState: RetentionByState,
  isScheduled: boolean,
): MaintenanceSettings {
  const retentionMs = given.retentionDays * msPerDay
  const kept = finalStates.map((state) => [state, byState[state] ?? retentionMs] as const)
  return {
    isScheduled,
    intervalMs: given.intervalHours * msPerHour,
    // The boundary: every final state is among them.
    retentionMs: Object.fromEntries(kept) as Record<FinalState, number>,
    maxFinishedJobs: given.maxFinishedJobs === 0 ? undefined : given.maxFinishedJobs,
    maxDatabaseBytes: given.maxDatabaseMb === 0 ? undefined : given.maxDatabaseMb * 1_000_000,
    compactFreePercent: given.compactFreePercent,
    artifactRetentionMs: given.artifactRetentionDays * msPerDay,
  }
}
