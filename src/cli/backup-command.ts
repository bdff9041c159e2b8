import { engineError } from '../errors.ts'
import { backUp } from '../store/backup.ts'
import { databaseOf } from './database-of.ts'
import { exitCodes } from './exit-codes.ts'
import { watchInterruption } from './interruption.ts'
import { defaultDatabase } from './list-command.ts'
import { printable } from './printable.ts'
import type { SettingFlags } from './setting-flags.ts'

export interface BackupCommandOptions extends Pick<SettingFlags, 'config' | 'database'> {
  readonly files?: boolean
  readonly json?: boolean
}

export async function runBackup(target: string, options: BackupCommandOptions): Promise<number> {
  const { files = false, json = false } = options
  const database = await databaseOf(options, defaultDatabase)
  const interruption = watchInterruption()
  const endedBy = () => (interruption.signal.aborted ? interrupted : undefined)
  try {
    const report = await backUp(database, { target, files }, { endedBy })
    const { path, bytes, filesBytes, elapsedMs } = report
    const ofFiles = files ? `, and ${report.files} files of ${megabytes(filesBytes)}` : ''
    process.stdout.write(
      json
        ? `${JSON.stringify({ path, bytes, files: report.files, files_bytes: filesBytes, elapsed_ms: elapsedMs })}\n`
        : `${printable(path)}: ${megabytes(bytes)}${ofFiles}, ${(elapsedMs / 1_000).toFixed(1)} s\n`,
    )
    return exitCodes.ok
  } catch (error) {
    if (error !== interrupted) throw error
    process.stderr.write('semantica: stopped; nothing is left of the backup\n')
    return exitCodes.interrupted
  } finally {
    interruption.release()
  }
}

const interrupted = engineError('BACKUP_FAILED', { found: 'Stopped by a signal', action: 'Begin again.' })

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
