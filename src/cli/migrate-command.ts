import { unreachable } from '../errors.ts'
import {
  changeSchema,
  readSchemaStatus,
  type SchemaReport,
  type SchemaStatus,
  type SchemaStep,
} from '../store/change-schema.ts'
import type { ListedMigration } from '../store/migrate.ts'
import { databaseOf } from './database-of.ts'
import { exitCodes } from './exit-codes.ts'
import { printable } from './printable.ts'
import type { SettingFlags } from './setting-flags.ts'

type MigrateFlags = Pick<SettingFlags, 'database' | 'config'> & {
  readonly json?: boolean
  readonly to?: number
  readonly force?: boolean
  readonly backup?: boolean
}

export async function runMigrate(direction: 'up' | 'down', flags: MigrateFlags): Promise<number> {
  const { json = false, to, force = false, backup = true } = flags
  const path = await databaseOf(flags)
  const report = changeSchema(path, { direction, to, force, backup }, (step) => {
    process.stderr.write(`semantica: ${printable(stepInWords(step))}\n`)
  })
  process.stdout.write(
    json ? `${JSON.stringify({ ...report, backup: report.backup ?? null })}\n` : inWords(report),
  )
  return exitCodes.ok
}

export async function runMigrateStatus(flags: MigrateFlags): Promise<number> {
  const status = readSchemaStatus(await databaseOf(flags))
  process.stdout.write(flags.json === true ? statusAsJson(status) : statusInWords(status))
  const isOther = status.migrations.some(({ state }) => state === 'edited' || state === 'unknown')
  return isOther ? exitCodes.otherSchema : exitCodes.ok
}

function stepInWords(step: SchemaStep): string {
  switch (step.kind) {
    case 'backing-up':
      return `copying ${step.database} first`
    case 'backed-up':
      return `the copy is ${step.path}`
    case 'copy-removed':
      return 'the copy is removed again, since nothing was changed'
    case 'changing':
      return step.direction === 'up'
        ? `applying ${step.migrations.map(nameOf).join(', ')}`
        : `reverting ${step.migrations.map(nameOf).join(', ')}`
    default:
      return unreachable(step)
  }
}

function inWords({ database, from, to }: SchemaReport): string {
  const what = from === to ? `has schema version ${to} already` : `went from schema version ${from} to ${to}`
  return `${printable(database)} ${what}\n`
}

function statusInWords({ database, version, known, migrations }: SchemaStatus): string {
  const width = Math.max(...migrations.map((one) => nameOf(one).length))
  const rows = migrations.map((one) => `  ${nameOf(one).padEnd(width)}  ${stateInWords(one)}`)
  const head = `${printable(database)} has schema version ${version}; this version of the engine knows up to ${known}`
  return [head, ...rows, ''].join('\n')
}

function stateInWords({ state, appliedAt }: ListedMigration): string {
  const at = appliedAt === undefined ? '' : ` ${new Date(appliedAt).toISOString()}`
  switch (state) {
    case 'applied':
      return `applied${at}`
    case 'pending':
      return 'pending'
    case 'edited':
      return `applied${at}, with another text: the checksum does not match`
    case 'unknown':
      return `applied${at}, by another version: not known to this one`
    default:
      return unreachable(state)
  }
}

function statusAsJson({ migrations, ...status }: SchemaStatus): string {
  const listed = migrations.map(({ version, name, state, appliedAt }) => ({
    version,
    name: printable(name),
    state,
    applied_at: appliedAt === undefined ? null : new Date(appliedAt).toISOString(),
  }))
  return `${JSON.stringify({ ...status, migrations: listed })}\n`
}

function nameOf({ version, name }: Pick<ListedMigration, 'version' | 'name'>): string {
  return `${String(version).padStart(3, '0')}_${printable(name)}`
}
