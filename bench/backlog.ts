/** A database as years leave it: rows that are finished, and a backlog. Laid down by SQL, in the engine's own schema. */
import { defaultQueue } from '../src/job/spec.ts'
import { closeWriter } from '../src/store/close.ts'
import { type Database, openWriter } from '../src/store/open.ts'
import { writeSql } from '../src/store/write-statements.ts'
import { spinJobType, stampJobType } from './workload.ts'

export interface BacklogSizes {
  /** The first numbers. */
  readonly finished: number
  /** The numbers after them. */
  readonly queued: number
}

/** Some time in the past. */
const firstCreatedAt = 1_700_000_000_000

/** A path in the payload: the rows are about as long as those of real work. */
const rowsSql = (
  jobType: string,
  columns: string,
  values: string,
  createdAt = `${firstCreatedAt} + seq`,
): string => `
  INSERT INTO jobs (seq, job_type, payload, created_at, ${columns})
  WITH RECURSIVE numbers (seq) AS (SELECT @first UNION ALL SELECT seq + 1 FROM numbers WHERE seq < @last)
  SELECT seq, '${jobType}', printf('{"ms":2,"path":"packages/package-%d/src/module-%d.ts"}', seq % 97, seq),
    ${createdAt}, ${values} FROM numbers`

/** What the rows are that are added. Those that are `recent` have come and finished now, others that are finished years ago. Of `tagged` a share has the tag; all of them are queued, and take two milliseconds each. */
export type RowKind = 'finished' | 'recent' | 'queued' | 'tagged'

export const sharedTag = 'feature-x'
/** So many of so many have the tag, spread among the others. */
export const taggedShare = { tagged: 7, of: 60 } as const

const insertSql: Readonly<Record<RowKind, string>> = {
  finished: rowsSql(
    stampJobType,
    'state, attempt, started_at, finished_at',
    `'DONE', 1, ${firstCreatedAt} + seq + 2, ${firstCreatedAt} + seq + 7`,
  ),
  recent: rowsSql(
    stampJobType,
    'state, attempt, started_at, finished_at',
    "'DONE', 1, unixepoch() * 1000, unixepoch() * 1000",
    'unixepoch() * 1000',
  ),
  queued: rowsSql(stampJobType, 'state, waits_for', "'QUEUED', 'turn'"),
  tagged: rowsSql(
    spinJobType,
    'state, waits_for, user_tag',
    `'QUEUED', 'turn', CASE WHEN seq % ${taggedShare.of} < ${taggedShare.tagged} THEN '${sharedTag}' END`,
  ),
}

/** Only those that have run since: the others are as they were. */
const queuedAgainSql = `UPDATE jobs SET state = 'QUEUED', waits_for = 'turn', attempt = 0, started_at = NULL,
  finished_at = NULL, result = NULL, suspicion = 0, failures = 0
  WHERE seq > @finished AND (state <> 'QUEUED' OR attempt > 0)`

/** Adds `rows` rows after those that are there. */
export function addRows(path: string, kind: RowKind, { finished, queued }: BacklogSizes, rows: number): void {
  const first = finished + queued + 1
  const last = finished + queued + rows
  const added =
    kind === 'finished' || kind === 'recent'
      ? { finished: finished + rows, queued }
      : { finished, queued: queued + rows }
  change(path, added, (database) => database.prepare(insertSql[kind]).run({ first, last }))
}

/** Makes the backlog what it was before jobs of it were run. */
export function queueAgain(path: string, sizes: BacklogSizes): void {
  change(path, sizes, (database) => database.prepare(queuedAgainSql).run({ finished: sizes.finished }))
}

/** In one transaction, with what the engine keeps beside the rows. */
function change(path: string, { finished, queued }: BacklogSizes, apply: (database: Database) => void): void {
  const database = openWriter({ path, durability: 'process' })
  try {
    const counter = database.prepare<[string, string, number]>(writeSql.counterSet)
    const meta = database.prepare<[string, string | number]>(writeSql.metaSet)
    database
      .transaction(() => {
        apply(database)
        counter.run(defaultQueue, 'DONE', finished)
        counter.run(defaultQueue, 'QUEUED', queued)
        counter.run(defaultQueue, 'RUNNING', 0)
        meta.run('last_seq', finished + queued)
        meta.run('claims', '')
      })
      .immediate()
  } finally {
    closeWriter(database)
  }
}
