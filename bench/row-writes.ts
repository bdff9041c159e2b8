/**
 * The floor: what one thread can write, when nothing else is to be done.
 *
 * A job is inserted as running in one transaction and settled in another, as it must be when its attempt is durable
 * before its handler starts: 500 rows a transaction, a row at a time, one prepared statement each. No counters, no
 * checkpoint, no messages.
 */
import { join } from 'node:path'
import { systemClock } from '../src/clock.ts'
import type { Durability } from '../src/config.ts'
import { type Database, openWriter } from '../src/store/open.ts'
import type { Measurement } from './trials.ts'

export interface RowWritesParameters {
  /** Empty; removed by the parent. */
  readonly folder: string
  /** A multiple of 500. */
  readonly jobs: number
  readonly durability: Durability
}

const rowsPerTransaction = 500

/** How one table takes a job. */
export interface RowWriter {
  insert(seq: number, now: number): void
  /** Missing where only what an acknowledged job needs is measured. */
  settle?(seq: number, now: number): void
  /** How many rows are as they should be in the end. */
  count(): unknown
}

/** @throws when not every row is as it should be */
export function measureRowWrites(
  { folder, jobs, durability }: RowWritesParameters,
  prepare: (database: Database) => RowWriter,
): Measurement {
  const database = openWriter({ path: join(folder, 'floor.db'), durability })
  try {
    const writer = prepare(database)
    const begin = database.prepare('BEGIN IMMEDIATE')
    const commit = database.prepare('COMMIT')
    const write = (firstSeq: number, row: (seq: number, now: number) => void): void => {
      const now = systemClock.wallMs()
      begin.run()
      for (let seq = firstSeq; seq < firstSeq + rowsPerTransaction; seq++) row(seq, now)
      commit.run()
    }
    const startMs = systemClock.monotonicMs()
    for (let firstSeq = 1; firstSeq <= jobs; firstSeq += rowsPerTransaction) {
      write(firstSeq, writer.insert)
      if (writer.settle !== undefined) write(firstSeq, writer.settle)
    }
    const elapsedMs = systemClock.monotonicMs() - startMs
    const written = Number(writer.count())
    if (written !== jobs) throw new Error(`${written} of ${jobs} rows are as they should be`)
    return { units: jobs, elapsedMs }
  } finally {
    database.close()
  }
}
