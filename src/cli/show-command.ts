import type { LogFiles } from '../engine/job-log.ts'
import type { JobDetails } from '../engine/job-record.ts'
import { StoredJobs } from '../engine/stored-jobs.ts'
import { engineError, textWithCauses } from '../errors.ts'
import { databaseOf } from './database-of.ts'
import { exitCodes } from './exit-codes.ts'
import { inColumns, jobAsJson, shortened } from './job-text.ts'
import { defaultDatabase } from './list-command.ts'
import type { SettingFlags } from './setting-flags.ts'

export interface ShowCommandOptions extends Pick<SettingFlags, 'config' | 'database'> {
  readonly json?: boolean
}

export async function runShow(jobId: string, options: ShowCommandOptions): Promise<number> {
  const { json = false } = options
  const database = await databaseOf(options, defaultDatabase)
  using stored = new StoredJobs(database)
  const job = await stored.get(jobId)
  if (job === undefined) {
    throw engineError('JOB_UNKNOWN', {
      found: `There is no job ${jobId} in ${database}`,
      action: 'It may have been pruned; `semantica list` shows those that there are.',
    })
  }
  const logs = await stored.logFiles(jobId)
  process.stdout.write(json ? asJson(job, logs) : asText(job, logs))
  return exitCodes.ok
}

function asJson(job: JobDetails, { files, failure }: LogFiles): string {
  const shown = { ...jobAsJson(job), logs: files, logs_error: failure?.message ?? null }
  return `${JSON.stringify(shown)}\n`
}

function asText(job: JobDetails, { files, failure }: LogFiles): string {
  const { failedAttempts, artifacts, progress, ...record } = job
  const facts = Object.entries(jobAsJson(record)).filter(([, value]) => value !== null)
  const lines = facts.map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ])
  if (progress !== undefined)
    lines.push([
      'progress',
      `${(progress.fraction * 100).toFixed(0)} %${progress.note === undefined ? '' : ` ${progress.note}`}`,
    ])
  for (const { attempt, cause, error } of failedAttempts)
    lines.push([`attempt ${attempt}`, error === undefined ? cause : `${cause}: ${textWithCauses(error)}`])
  for (const { path, bytes, exists } of artifacts)
    lines.push(['artifact', `${path} ${exists ? `(${bytes} bytes)` : '(deleted)'}`])
  for (const { kind, path, bytes } of files) lines.push([kind, `${path} (${bytes} bytes)`])
  if (failure !== undefined) lines.push(['logs', failure.message])
  return inColumns(lines.map(([name = '', text = '']) => [name, shortened(text)]))
}
