/** Rows that a test asks a database for. */
import type { Database } from 'better-sqlite3'

/** Rows of jobs that have ended, and jobs that wait and have a time, but no row. */
export function unexpectedJobs(database: Database): number[] {
  return database
    .prepare<[], number>(
      `SELECT seq FROM expirations AS one WHERE NOT EXISTS (
         SELECT 1 FROM jobs WHERE seq = one.seq AND finished_at IS NULL)
       UNION ALL SELECT seq FROM jobs WHERE waits_for IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM expirations WHERE expirations.seq = jobs.seq)
       AND (policy ->> 'deadline' IS NOT NULL OR attempt = 0 AND policy ->> 'ttlEndsAt' IS NOT NULL)`,
    )
    .pluck()
    .all()
}

export function misplacedJobs(database: Database): number[] {
  return database
    .prepare<[], number>(
      "SELECT seq FROM jobs WHERE waits_for IN ('turn', 'program') AND (waits_for = 'program') <> (job_type LIKE '%PROGRAM')",
    )
    .pluck()
    .all()
}

export function parkedJobs(database: Database): number[] {
  return database
    .prepare<[], number>("SELECT seq FROM jobs WHERE waits_for = 'handler' AND state = 'SCHEDULED'")
    .pluck()
    .all()
}
