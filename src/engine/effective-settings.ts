import { checkKnown, type EffectiveSetting, listSettings, readSources } from '../config.ts'
import { checkFields } from '../job/definition.ts'
import { type EngineOptions, optionNames } from './options.ts'

/**
 * What `Engine.start` would use, and where each value comes from: the default, these options, the configuration file, a
 * variable, or `overrides`. Starts nothing.
 *
 * @throws OPTION_INVALID, CONFIG_INVALID, PATH_INVALID
 * @example
 * for (const { name, value, source } of await effectiveSettings({ threads: 4 })) console.log(name, value, source)
 */
export async function effectiveSettings(
  options: Partial<EngineOptions> = {},
): Promise<readonly EffectiveSetting[]> {
  checkFields('options', options)
  checkKnown(options, optionNames, '')
  return listSettings(await readSources(options))
}
