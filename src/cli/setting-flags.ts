import { type Command, InvalidArgumentError, Option } from 'commander'
// Not by way of src/config.ts: every command would load all of it, to show its help or to find a name.
import type { Configuration } from '../config/all-options.ts'
import { databaseOption } from '../config/database.ts'
import { allowedText, type Option as EngineOption, plainMeaning } from '../config/option.ts'
import { tuningOptions } from '../config/tuning.ts'

/** What the flags below give to a command. */
export type SettingFlags = Pick<Configuration, 'threads' | 'durability' | 'logLevel' | 'database'> & {
  readonly config?: string
}

const flagged = { ...tuningOptions, database: databaseOption }

/** Gives a command flags for options of the engine, as their table has them. */
export function addSettingFlags(
  command: Command,
  ...names: readonly Exclude<keyof SettingFlags, 'config'>[]
): Command {
  command.option(
    '--config <file>',
    'configuration file (default: semantica.config.ts, .js or .json, when there is one in the current folder)',
  )
  for (const name of names) command.addOption(flagOf(name))
  return command
}

function flagOf(name: keyof typeof flagged): Option {
  const option: EngineOption = flagged[name]
  if (option.flag === undefined) throw new Error(`Broken assumption: ${name} has a flag`)
  // Whether a missing database is made is a matter of the command.
  const meaning = name === 'database' ? 'path of the database file' : plainMeaning(option).replaceAll('`', '')
  switch (option.kind) {
    case 'number':
      return new Option(`${option.flag} <n>`, meaning).argParser(
        wholeNumber(option.minimum, option.maximum, () => allowedText(option)),
      )
    case 'choice':
      return new Option(`${option.flag} <choice>`, meaning).choices(option.allowed)
    default:
      return new Option(`${option.flag} <${option.kind}>`, meaning)
  }
}

/** What an argument must be; commander names the flag and the value. */
export function wholeNumber(
  minimum: number,
  maximum: number,
  // Not before it is to be said: the first text in a language's own form takes a thirtieth of a second.
  allowed = () => `a whole number from ${minimum.toLocaleString('en')} to ${maximum.toLocaleString('en')}`,
): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= minimum && number <= maximum) return number
    throw new InvalidArgumentError(`Allowed: ${allowed()}.`)
  }
}
