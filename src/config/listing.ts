/** What `semantica config` shows: every option with its effective value, and where it came from. */
import { allOptions } from './all-options.ts'
import { configVariable } from './config-file.ts'
import { nearestName } from './nearest-name.ts'
import { allowedText, type Origin, placeOf, plainMeaning } from './option.ts'
import { type Environment, readSetting, type Sources } from './setting.ts'

export interface EffectiveSetting {
  /** As in code and in the configuration file; those of a group are named `group.option`. */
  readonly name: string
  readonly value: unknown
  readonly origin: Origin['kind']
  /** Where to change it: `default`, `code`, the path of the file, or the name of the variable or flag. */
  readonly source: string
  readonly variable: string
  readonly flag: string | undefined
  readonly default: unknown
  readonly allowed: string
  readonly meaning: string
}

/**
 * All options, in the order of the tables.
 *
 * @throws OPTION_INVALID
 */
export function listSettings(sources: Sources): readonly EffectiveSetting[] {
  return [...allOptions].map(([name, option]) => {
    const { value, origin } = readSetting<unknown>(name, option, sources)
    const { variable, flag, fallback } = option
    return {
      name,
      value,
      origin: origin.kind,
      source: placeOf(origin),
      variable,
      flag,
      default: fallback(),
      allowed: allowedText(option),
      meaning: plainMeaning(option),
    }
  })
}

export interface UnknownVariable {
  readonly name: string
  readonly meant: string | undefined
}

/** What a program that a job runs finds in its environment. */
const ofPrograms: readonly string[] = [
  'SEMANTICA_JOB_ID',
  'SEMANTICA_ATTEMPT',
  'SEMANTICA_RUN_ID',
  'SEMANTICA_RESULT_FILE',
]

/** Variables that look like ours and are not: they would have no effect, and nobody would say so. */
export function findUnknownVariables(environment: Environment): readonly UnknownVariable[] {
  const known = [...[...allOptions.values()].map(({ variable }) => variable), configVariable]
  return Object.keys(environment)
    .filter((name) => name.startsWith('SEMANTICA_') && !known.includes(name) && !ofPrograms.includes(name))
    .map((name) => ({ name, meant: nearestName(name, known) }))
}
