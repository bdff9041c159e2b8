import { measureRowWrites, type RowWritesParameters } from '../row-writes.ts'
import type { Measurement } from '../trials.ts'
import { noOpJob } from '../workload.ts'

/** The least that a durable job can be: a table of three columns, in a database with the same settings. */
export function run(parameters: RowWritesParameters): Measurement {
  return measureRowWrites(parameters, (database) => {
    database.exec('CREATE TABLE bare (id INTEGER PRIMARY KEY, state TEXT NOT NULL, payload TEXT NOT NULL)')
    const insert = database.prepare<[number, string]>("INSERT INTO bare VALUES (?, 'RUNNING', ?)")
    const settle = database.prepare<[number]>(
      "UPDATE bare SET state = 'DONE' WHERE id = ? AND state = 'RUNNING'",
    )
    const payload = JSON.stringify(noOpJob.payload)
    return {
      insert: (seq) => insert.run(seq, payload),
      settle: (seq) => settle.run(seq),
      count: () => database.prepare("SELECT COUNT(*) FROM bare WHERE state = 'DONE'").pluck().get(),
    }
  })
}
