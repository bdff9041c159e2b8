/** All tables as one: what a configuration file may hold, and what `semantica config` lists. */
import { describe, engineError } from '../errors.ts'
import { type AlertOptions, alertOptions, alertsSwitch } from './alerts.ts'
import { databaseOption } from './database.ts'
import {
  type MaintenanceOptions,
  maintenanceOptions,
  maintenanceSwitch,
  retentionOptions,
} from './maintenance.ts'
import { type MetricsOptions, metricsOptions, metricsSwitch } from './metrics.ts'
import { isOptions, type Option } from './option.ts'
import { type ProgramLimits, programOptions } from './programs.ts'
import { checkKnown, inGroup, valueIn } from './setting.ts'
import { type ThrottleLimits, throttleOptions, throttleSwitch } from './throttle.ts'
import { type Tuning, tuningOptions } from './tuning.ts'

/** What a `semantica.config.ts`, `.js` or `.json` may say; each name as in the options of `Engine.start`. */
export interface Configuration extends Partial<Tuning> {
  /** Path of the job database. In a file it is relative to the folder of the file. `SEMANTICA_DATABASE` */
  readonly database?: string
  /** When jobs of low priority are held back; `false`: never. `SEMANTICA_THROTTLE` */
  readonly throttle?: Partial<ThrottleLimits> | boolean
  /** How long finished jobs are kept, and when the file is made smaller; `false`: only when it is asked for. `SEMANTICA_MAINTENANCE` */
  readonly maintenance?: MaintenanceOptions | boolean
  /** Numbers for Prometheus and OpenTelemetry. `SEMANTICA_METRICS` */
  readonly metrics?: MetricsOptions | boolean
  /** From when on `alert` is told; `false`: never. `SEMANTICA_ALERTS` */
  readonly alerts?: AlertOptions | boolean
  readonly subprocess?: Partial<ProgramLimits>
}

/** Options that are given together, under one name. */
const groups: Readonly<Record<string, Readonly<Record<string, Option>>>> = {
  throttle: throttleOptions,
  maintenance: maintenanceOptions,
  'maintenance.retentionMs': retentionOptions,
  metrics: metricsOptions,
  alerts: alertOptions,
  subprocess: programOptions,
}

const single: Readonly<Record<string, Option>> = {
  database: databaseOption,
  ...tuningOptions,
  throttle: throttleSwitch,
  maintenance: maintenanceSwitch,
  metrics: metricsSwitch,
  alerts: alertsSwitch,
}

/** Every option by its full name, such as `throttle.cpuPercent`. */
export const allOptions: ReadonlyMap<string, Option> = new Map([
  ...Object.entries(single),
  ...Object.entries(groups).flatMap(([group, table]) =>
    Object.entries(table).map(([name, option]) => [inGroup(group, name), option] as const),
  ),
])

/** What only code can give: most of it is code. */
const onlyInCode: readonly string[] = [
  'jobs',
  'actors',
  'setup',
  'logTo',
  'config',
  'overrides',
  'throttle.measure',
  'subprocess.serveBuiltIn',
]

/**
 * Refuses what is no configuration. Values are checked when they are read.
 *
 * @param nameOf how the user finds an option of this name
 * @throws OPTION_INVALID naming what is unknown, and what was probably meant
 */
export function checkConfiguration(given: object, nameOf: (name: string) => string): void {
  checkNames('', given, nameOf)
  for (const group of Object.keys(groups)) {
    const options = valueIn(given, group)
    if (isOptions(options)) checkNames(group, options, nameOf)
    else if (options !== undefined && !(group in single))
      throw engineError('OPTION_INVALID', {
        found: `${nameOf(group)} is ${describe(options)}`,
        allowed: 'an object',
        action: 'Correct it.',
        details: { option: group },
      })
  }
}

function checkNames(group: string, given: object, nameOf: (name: string) => string): void {
  const code = Object.keys(given)
    .map((name) => inGroup(group, name))
    .find((name) => onlyInCode.includes(name))
  if (code !== undefined)
    throw engineError('OPTION_INVALID', {
      found: `${nameOf(code)} can only be given to Engine.start`,
      action: 'Move it there.',
      details: { option: code },
    })
  const begin = inGroup(group, '')
  const known = [...Object.keys(single), ...Object.keys(groups), ...allOptions.keys()]
    .filter((name) => name.startsWith(begin))
    .map((name) => name.slice(begin.length))
    .filter((name) => !name.includes('.'))
  checkKnown(given, [...new Set(known)], group, nameOf)
}
