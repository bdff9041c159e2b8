import { floorSql } from '../floor-statements.ts'
import { measureRowWrites, type RowWritesParameters } from '../row-writes.ts'
import type { Measurement } from '../trials.ts'
import { noOpJob } from '../workload.ts'

/** The engine's own table and settings. */
export function run(parameters: RowWritesParameters): Measurement {
  return measureRowWrites(parameters, (database) => {
    const insert = database.prepare<[number, string, string, number]>(floorSql.insertRunning)
    const settle = database.prepare<[number, number, number]>(floorSql.settleDone)
    const payload = JSON.stringify(noOpJob.payload)
    return {
      insert: (seq, now) => insert.run(seq, noOpJob.type, payload, now),
      settle: (seq, now) => settle.run(now, now, seq),
      count: () => database.prepare("SELECT COUNT(*) FROM jobs WHERE state = 'DONE'").pluck().get(),
    }
  })
}
