/** The commands that look at the jobs of any engine, or copy them, also while it runs: they only read its database. */
import type { Command } from 'commander'
import { addSettingFlags, wholeNumber } from './setting-flags.ts'

const databaseHelp = `
Without --database, SEMANTICA_DATABASE or a configuration file it is .semantica/tasks.db, what \`semantica index\` keeps.`

export function addJobCommands(program: Command): void {
  const list = program
    .command('list')
    .description('list stored jobs, newest first; also while an engine runs')
    .option('--tag <tag>', 'only jobs with this user tag')
    .option('--group <group>', 'only jobs of this chain group')
    .option('--parent <job id>', 'only jobs that a handler of this job enqueued')
    .option('--state <state>', 'only jobs in this state, such as FAILED')
    .option('--queue <queue>', 'only jobs of this queue')
    .option('--type <job type>', 'only jobs of this type')
    .option('--limit <n>', 'print at most so many (default: 50)', wholeNumber(1, 100_000))
    .option('--json', 'print one JSON array')
    .action(async (options: object) => {
      const { runList } = await import('./list-command.ts')
      process.exitCode = await runList(options)
    })
  const show = program
    .command('show')
    .description('show a stored job with its failed attempts, progress, logs and artifacts')
    .argument('<job id>', 'as `list` and the engine give it')
    .option('--json', 'print one JSON object')
    .action(async (jobId: string, options: object) => {
      const { runShow } = await import('./show-command.ts')
      process.exitCode = await runShow(jobId, options)
    })
  const backup = program
    .command('backup')
    .description('copy the job database to a new file; also while an engine runs')
    .argument('<target>', 'path of the new file')
    .option('--files', 'copy the logs and artifacts of jobs too, to <target>-files')
    .option('--json', 'print one JSON object')
    .action(async (target: string, options: object) => {
      const { runBackup } = await import('./backup-command.ts')
      process.exitCode = await runBackup(target, options)
    })
  for (const command of [list, show, backup])
    addSettingFlags(command, 'database').addHelpText('after', databaseHelp)
}
