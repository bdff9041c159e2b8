/**
 * One value out of many: options of `Engine.start`, then the configuration file, then the environment, then flags of the
 * command line or `overrides`. Each wins over the ones before it. What is wrong is refused even where something else
 * wins: it would show on the day when that is taken away.
 */
import { engineError } from '../errors.ts'
import { nearestName } from './nearest-name.ts'
import { checkValue, fromText, isOptions, type Option, type Origin } from './option.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What a configuration file holds. */
export interface ConfigFile {
  readonly path: string
  readonly values: Readonly<Record<string, unknown>>
}

export interface Sources {
  readonly code?: object | undefined
  readonly file?: ConfigFile | undefined
  readonly environment: Environment
  /** What the command line says. */
  readonly overrides?: object | undefined
}

/** The effective value of an option, and where it came from. */
export interface Setting<Value = unknown> {
  /** As in code and in the file; those of a group are named `group.option`. */
  readonly name: string
  readonly value: Value
  readonly origin: Origin
}

/** @throws OPTION_INVALID */
export function readSetting<Value>(
  name: string,
  option: Option & { readonly fallback: () => Value },
  sources: Sources,
): Setting<Value> {
  let winner: Setting = { name, value: option.fallback(), origin: { kind: 'default' } }
  for (const { value, origin } of givenValues(name, option, sources)) {
    winner = { name, value: checkValue(name, option, value, origin), origin }
  }
  // The boundary: a value that passed the check of its option is of the option's type.
  return winner as Setting<Value>
}

/** Refuses what a source gives and may not; nothing is read beyond that. @throws OPTION_INVALID */
export function checkGiven(name: string, option: Option, sources: Sources): void {
  for (const { value, origin } of givenValues(name, option, sources)) checkValue(name, option, value, origin)
}

type Table<Settings> = {
  readonly [Name in keyof Settings]: Option & { readonly fallback: () => Settings[Name] }
}

/**
 * The effective values of a whole table.
 *
 * @param group under which the options are given, such as `throttle`; empty for those of `Engine.start` itself
 * @throws OPTION_INVALID
 */
export function readTable<Settings>(group: string, table: Table<Settings>, sources: Sources): Settings {
  const settings: Partial<Settings> = {}
  for (const name in table) settings[name] = readSetting(inGroup(group, name), table[name], sources).value
  // The boundary: the loop has given each name of the table its value.
  return settings as Settings
}

/** The full name of an option. */
export function inGroup(group: string, name: string): string {
  return group === '' ? name : `${group}.${name}`
}

/**
 * Refuses names that are no options, with the one that was probably meant.
 *
 * @param nameOf how the user finds it, where that takes more than its name
 * @throws OPTION_INVALID
 */
export function checkKnown(
  given: object,
  known: readonly string[],
  group: string,
  nameOf: (name: string) => string = (name) => name,
): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const meant = nearestName(unknown, known)
  const what = group === '' ? 'option' : `option of ${group}`
  throw engineError('OPTION_INVALID', {
    found: `${nameOf(inGroup(group, unknown))} is not an ${what}`,
    allowed: known.join(', '),
    action: meant === undefined ? 'Correct it.' : `Did you mean ${inGroup(group, meant)}?`,
    details: { option: inGroup(group, unknown) },
  })
}

interface Given {
  readonly value: unknown
  readonly origin: Origin
}

/** In rising order of what wins. */
function givenValues(name: string, option: Option, sources: Sources): Given[] {
  const { code, file, environment, overrides } = sources
  const text = environment[option.variable]
  const given: Given[] = [
    { value: valueIn(code, name), origin: { kind: 'code' } },
    { value: valueIn(file?.values, name), origin: { kind: 'file', path: file?.path ?? '' } },
    {
      // A variable that is set to nothing is not set: so it is easily taken away for one command.
      value: text === undefined || text === '' ? undefined : fromText(option, text),
      origin: { kind: 'environment', variable: option.variable },
    },
    {
      value: valueIn(overrides, name),
      origin: { kind: 'flag', flag: option.flag ?? `overrides.${name}` },
    },
  ]
  return given.filter(({ value }) => value !== undefined)
}

/** What `group.option` names in an object. A group that is no object has been refused, or is turned off. */
export function valueIn(given: object | undefined, name: string): unknown {
  return name.split('.').reduce<unknown>((place, part) => (isOptions(place) ? place[part] : undefined), given)
}
