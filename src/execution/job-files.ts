/**
 * Where the files of jobs lie: in one folder beside the database, made when the first of them is written.
 *
 *   tasks.db-files/logs/<job id>.log and, older, <job id>.log.1
 *                      /<job id>.out.log     what its program wrote, and .err.log
 *                 /artifacts/<job id>/<name>
 *                 /partial/<job id>            an artifact that is being written
 */
import { join } from 'node:path'

export interface JobFiles {
  readonly log: string
  /** The log's lines before those in `log`. */
  readonly olderLog: string
  /** What the job's program wrote. */
  readonly outputs: ProgramOutputs
  readonly artifacts: string
  readonly partial: string
}

export interface ProgramOutputs {
  readonly stdout: string
  readonly stderr: string
}

/** The folders in which the files of jobs lie, each under a name that begins with the job's id, and the one around them. */
export function jobFileFolders(database: string) {
  const all = `${database}-files`
  return { all, logs: join(all, 'logs'), artifacts: join(all, 'artifacts'), partial: join(all, 'partial') }
}

/** @param database real path of the database */
export function jobFilesOf(database: string, jobId: string): JobFiles {
  const { logs, artifacts, partial } = jobFileFolders(database)
  const log = join(logs, `${jobId}.log`)
  return {
    log,
    olderLog: `${log}.1`,
    outputs: programOutputsOf(logs, jobId),
    artifacts: join(artifacts, jobId),
    partial: join(partial, jobId),
  }
}

export function programOutputsOf(logsFolder: string, jobId: string): ProgramOutputs {
  return { stdout: join(logsFolder, `${jobId}.out.log`), stderr: join(logsFolder, `${jobId}.err.log`) }
}
