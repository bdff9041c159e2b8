import {
  commandSources,
  type EffectiveSetting,
  listSettings,
  readSources,
  readUnknownVariables,
  type UnknownVariable,
} from '../config.ts'
import { exitCodes } from './exit-codes.ts'
import { printable } from './printable.ts'
import type { SettingFlags } from './setting-flags.ts'
import { tellUnknownVariables } from './unknown-variables.ts'

export async function runConfig({ json, ...flags }: SettingFlags & { readonly json?: boolean }) {
  const sources = await readSources(commandSources(flags, process.cwd()))
  const settings = listSettings(sources)
  const unknown = readUnknownVariables()
  if (json === true)
    process.stdout.write(`${JSON.stringify(asJson(sources.file?.path, settings, unknown))}\n`)
  else {
    process.stdout.write(asText(settings))
    tellUnknownVariables(unknown)
  }
  return exitCodes.ok
}

function asJson(
  file: string | undefined,
  settings: readonly EffectiveSetting[],
  unknown: readonly UnknownVariable[],
) {
  return {
    file: file ?? null,
    settings: settings.map((setting) => ({
      ...setting,
      value: setting.value ?? null,
      flag: setting.flag ?? null,
      default: setting.default ?? null,
    })),
    unknown_variables: unknown.map(({ name, meant }) => ({ name, meant: meant ?? null })),
  }
}

function asText(settings: readonly EffectiveSetting[]): string {
  const rows = settings.map(({ name, value, source }) => [name, printable(inWords(value)), printable(source)])
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0))
  const [nameWidth, valueWidth] = [width(0), width(1)]
  return rows
    .map(
      ([name = '', value = '', source]) =>
        `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`,
    )
    .join('')
}

function inWords(value: unknown): string {
  if (value === undefined) return '-'
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  return Array.isArray(value) ? value.join(',') : String(value)
}
