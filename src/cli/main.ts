import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { hasCode } from '../errors.ts'
import { exitCodeHelp, exitCodes } from './exit-codes.ts'
import { addJobCommands } from './job-commands.ts'
import { addMigrateCommand } from './migrate-flags.ts'
import { outputHasLeft, watchOutput } from './output.ts'
import { addSettingFlags, wholeNumber } from './setting-flags.ts'

const examples = `
Examples:
  semantica index .                    index the current directory
  semantica index ~/src/app --json     print one JSON object at the end
  semantica search parseConfig         definitions of that name, then those that begin with it
  semantica search Parser.parse        only within the container Parser
  semantica status                     what the index holds
  semantica list --state failed        jobs of ./.semantica/tasks.db, the newest first
  semantica show job_6x0k2m9q_1        one job with its failed attempts and files
  semantica backup jobs.db             a copy of ./.semantica/tasks.db, also while an engine runs
  semantica config                     the options in effect, and where each came from
  semantica migrate status             which schema a job database has`

const configHelp = `
Each of these wins over the ones before it: the default, the configuration file, the environment, flags.
A program that embeds the engine gives options in code: they win over the defaults only.

Examples:
  semantica config                             one line for each option: name, value, source
  SEMANTICA_THREADS=2 semantica config --json  with variables, defaults, bounds and meanings
  semantica config --config other.json         as if that were the configuration file`

/** Runs the command line, and ends the process with its exit code. Never rejects. */
export async function main(commandLine: readonly string[]): Promise<void> {
  watchOutput()
  try {
    await buildProgram().parseAsync(commandLine)
  } catch (error) {
    process.exitCode = report(error)
  }
  // At once: to take a large run's memory down piece by piece, as Node does when it ends by itself, takes long.
  await outputHasLeft()
  process.exit()
}

function buildProgram(): Command {
  const program = new Command('semantica')
    .description(
      'Indexes source code with durable jobs on every core, finds definitions in it, and shows jobs.',
    )
    .version(packageVersion())
    .addHelpText('after', `${examples}\n${exitCodeHelp}`)
    .showHelpAfterError('Run with --help for usage.')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(ownError(text)) })
  // Each command loads only what it needs: the start is most of the time of a short run.
  const index = program
    .command('index')
    .description('bring the index of a directory up to date')
    .argument('[dir]', 'the directory', '.')
    .option('--state <dir>', 'where jobs and index are kept (default: <dir>/.semantica)')
    .option('--json', 'print one JSON object at the end, and no progress')
    .option(
      '--max-file-bytes <n>',
      'larger files are skipped (default: 2000000)',
      wholeNumber(1, 1_000_000_000),
    )
    .action(async (directory: string, options: object) => {
      const { runIndex } = await import('./index-command.ts')
      process.exitCode = await runIndex(directory, options)
    })
  addSettingFlags(index, 'threads', 'durability', 'logLevel')
  program
    .command('search')
    .description('find definitions by name: exact ones first, then those that begin with it')
    .argument('<name>', 'the name, or Container.name')
    .argument('[dir]', 'the indexed directory', '.')
    .option('--state <dir>', 'where the index is kept (default: <dir>/.semantica)')
    .option('--json', 'print one JSON array')
    .option('--limit <n>', 'print at most so many (default: 50)', wholeNumber(1, 100_000))
    .action(async (name: string, directory: string, options: object) => {
      const { runSearch } = await import('./search-command.ts')
      process.exitCode = runSearch(name, directory, options)
    })
  program
    .command('status')
    .description('show what the index of a directory holds')
    .argument('[dir]', 'the indexed directory', '.')
    .option('--state <dir>', 'where the index is kept (default: <dir>/.semantica)')
    .option('--json', 'print one JSON object')
    .action(async (directory: string, options: object) => {
      const { runStatus } = await import('./status-command.ts')
      process.exitCode = runStatus(directory, options)
    })
  const config = program
    .command('config')
    .description('show the effective value of each option, and where it came from')
    .option('--json', 'print one JSON object')
    .addHelpText('after', configHelp)
    .action(async (options: object) => {
      const { runConfig } = await import('./config-command.ts')
      process.exitCode = await runConfig(options)
    })
  addSettingFlags(config, 'database', 'threads', 'durability', 'logLevel')
  addJobCommands(program)
  addMigrateCommand(program)
  return program
}

/** Commander's text of what is wrong with the command line; of a value with the code that other wrong values have. */
function ownError(text: string): string {
  const own = text.replace(/^error: /, 'semantica: ')
  return / is invalid\. /.test(own) ? `${own.trimEnd()} (OPTION_INVALID)\n` : own
}

/** Prints what went wrong in one line, and gives the exit code. */
function report(error: unknown): number {
  // Commander has printed its own text already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.failed
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
  process.stderr.write(`semantica: ${error instanceof Error ? error.message : String(error)}${code}\n`)
  for (const other of ['DATABASE_NEWER', 'DATABASE_OLDER', 'MIGRATION_EDITED'] as const)
    if (hasCode(error, other)) return exitCodes.otherSchema
  if (hasCode(error, 'MIGRATION_FAILED')) return exitCodes.migrationFailed
  if (hasCode(error, 'MIGRATION_LOSES_DATA')) return exitCodes.wouldLoseData
  return exitCodes.failed
}

function packageVersion(): string {
  // By its own name, so that it is found from the sources and from the build alike.
  const manifest: unknown = createRequire(import.meta.url)('semantica-task-engine/package.json')
  const isManifest = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return isManifest ? String(manifest.version) : 'unknown'
}
