import { commandSources, readDatabasePath, readSources } from '../config.ts'
import type { SettingFlags } from './setting-flags.ts'

/**
 * Path of the job database that a command is about: by the sources of options, or else by `fallback`.
 *
 * @throws OPTION_INVALID when nobody names one; CONFIG_INVALID, PATH_INVALID
 */
export async function databaseOf(
  { config, database }: Pick<SettingFlags, 'config' | 'database'>,
  fallback?: string,
): Promise<string> {
  const flags = {
    ...(config === undefined ? {} : { config }),
    ...(database === undefined ? {} : { database }),
  }
  // In the place of what code gives, which every other source wins over.
  const sources = {
    ...commandSources(flags, process.cwd()),
    ...(fallback === undefined ? {} : { database: fallback }),
  }
  return readDatabasePath(await readSources(sources))
}
