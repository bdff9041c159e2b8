import type { Command } from 'commander'
import { addSettingFlags, wholeNumber } from './setting-flags.ts'

const help = `
An engine brings an older database up by itself when it starts. These are for doing so beforehand, for looking, and for
going back before an older version of the engine is installed. No engine may have the database open for up and down.

Before a change a copy is made beside the database: <database>.schema-<version>.<time>.backup. To go back to it, stop
the engine, remove <database>-wal and <database>-shm, and copy it to the place of the database.

Examples:
  semantica migrate status --database tasks.db
  semantica migrate up --database tasks.db
  semantica migrate down --to 7 --database tasks.db          refused with exit code 5 where data would be dropped
  semantica migrate down --to 7 --force --database tasks.db  drops it`

export function addMigrateCommand(program: Command): void {
  const migrate = program
    .command('migrate')
    .description('show or change the version of the schema of a job database')
    .addHelpText('after', help)
  const status = migrate
    .command('status')
    .description('list all migrations, and which of them the database has; works beside an engine')
    .option('--json', 'print one JSON object')
    .action(async (options: object) => {
      const { runMigrateStatus } = await import('./migrate-command.ts')
      process.exitCode = await runMigrateStatus(options)
    })
  const up = migrate
    .command('up')
    .description('apply what is pending')
    .option('--to <n>', 'only up to this version (default: the newest)', wholeNumber(1, 999))
  const down = migrate
    .command('down')
    .description('revert, so that an older version of the engine can open the database')
    .option('--to <n>', 'back to this version (default: one step)', wholeNumber(0, 999))
    .option('--force', 'drop data that the older schema has no place for')
  for (const command of [up, down]) {
    command
      .option('--no-backup', 'take no copy before')
      .option('--json', 'print one JSON object at the end')
      .action(async (options: object) => {
        const { runMigrate } = await import('./migrate-command.ts')
        process.exitCode = await runMigrate(command === up ? 'up' : 'down', options)
      })
  }
  for (const command of [status, up, down]) {
    addSettingFlags(command, 'database').addHelpText('after', help)
  }
}
