import type { OptionFor, SwitchOption } from './option.ts'

/** From when on the engine gives an alarm. */
export interface AlertSettings {
  /** Used space of the disk that the database is on, in percent, over which it does, 1 to 100 (never). Default 80. `SEMANTICA_ALERTS_DISK_PERCENT` */
  readonly diskPercent: number
  /** Jobs that ended as FAILED, of those that did so or as DONE, in percent, 1 to 100 (never). Default 20. `SEMANTICA_ALERTS_FAILURE_PERCENT` */
  readonly failurePercent: number
  /** Over how long that is counted, in milliseconds, 1,000 to 86,400,000. Default 300,000. `SEMANTICA_ALERTS_FAILURE_WINDOW_MS` */
  readonly failureWindowMs: number
  /** How many jobs must have ended in that time, 1 to 1,000,000,000. Default 20. `SEMANTICA_ALERTS_MINIMUM_JOBS` */
  readonly minimumJobs: number
  /** How long a queue with jobs that could run may begin none, in milliseconds, 0 (for ever) to 86,400,000. Default 300,000. `SEMANTICA_ALERTS_STALLED_AFTER_MS` */
  readonly stalledAfterMs: number
  /** How often all of it is looked at, in milliseconds, 10 to 3,600,000. Default 10,000. `SEMANTICA_ALERTS_EVERY_MS` */
  readonly everyMs: number
}

export type AlertOptions = Partial<AlertSettings>

const dayMs = 86_400_000

export const alertsSwitch: SwitchOption = {
  kind: 'switch',
  holdsOptions: true,
  variable: 'SEMANTICA_ALERTS',
  fallback: () => true,
  fallbackText: 'on',
  meaning: 'from when on `alert` is told, see [below](#alerts); `false` or `off`: never',
}

export const alertOptions = {
  diskPercent: {
    kind: 'number',
    variable: 'SEMANTICA_ALERTS_DISK_PERCENT',
    minimum: 1,
    maximum: 100,
    fallback: () => 80,
    meaning: 'used space of the disk of the database (100: never)',
  },
  failurePercent: {
    kind: 'number',
    variable: 'SEMANTICA_ALERTS_FAILURE_PERCENT',
    minimum: 1,
    maximum: 100,
    fallback: () => 20,
    meaning: 'jobs that ended as `FAILED`, of those that did so or as `DONE` (100: never)',
  },
  failureWindowMs: {
    kind: 'number',
    variable: 'SEMANTICA_ALERTS_FAILURE_WINDOW_MS',
    minimum: 1_000,
    maximum: dayMs,
    fallback: () => 300_000,
    meaning: 'over how long failures are counted',
  },
  minimumJobs: {
    kind: 'number',
    variable: 'SEMANTICA_ALERTS_MINIMUM_JOBS',
    minimum: 1,
    maximum: 1_000_000_000,
    fallback: () => 20,
    meaning: 'how many jobs must have ended in that time for an alert',
  },
  stalledAfterMs: {
    kind: 'number',
    variable: 'SEMANTICA_ALERTS_STALLED_AFTER_MS',
    minimum: 0,
    maximum: dayMs,
    fallback: () => 300_000,
    meaning: 'how long a queue with jobs that could run may begin none (0: for ever)',
  },
  everyMs: {
    kind: 'number',
    variable: 'SEMANTICA_ALERTS_EVERY_MS',
    minimum: 10,
    maximum: 3_600_000,
    fallback: () => 10_000,
    meaning: 'how often all of it is looked at',
  },
} as const satisfies { readonly [Name in keyof AlertSettings]: OptionFor<AlertSettings[Name]> }
