import { floorSql } from '../floor-statements.ts'
import { measureRowWrites, type RowWritesParameters } from '../row-writes.ts'
import type { Measurement } from '../trials.ts'
import { noOpJob } from '../workload.ts'

/** What an enqueue has to write: a job that begins at once, or one of the backlog, which has an entry in an index. */
const insertSql = {
  RUNNING: floorSql.insertRunning,
  QUEUED: floorSql.insertQueued,
} as const

/** The first of the two writes that a job needs, alone. */
export function run(
  parameters: RowWritesParameters & { readonly state: keyof typeof insertSql },
): Measurement {
  const { state } = parameters
  return measureRowWrites(parameters, (database) => {
    const insert = database.prepare<[number, string, string, number]>(insertSql[state])
    const payload = JSON.stringify(noOpJob.payload)
    return {
      insert: (seq, now) => insert.run(seq, noOpJob.type, payload, now),
      count: () => database.prepare('SELECT COUNT(*) FROM jobs WHERE state = ?').pluck().get(state),
    }
  })
}
