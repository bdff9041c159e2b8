import { systemClock } from '../../src/clock.ts'
import { addRows, type BacklogSizes, queueAgain, type RowKind } from '../backlog.ts'
import type { Measurement } from '../trials.ts'

export interface BacklogRowsParameters {
  readonly path: string
  /** What the database holds. */
  readonly sizes: BacklogSizes
  /** Rows to be added, or none: then what was run of the backlog is queued again. */
  readonly add?: { readonly kind: RowKind; readonly rows: number }
}

/** Not a measurement: prepares a database in a process that a signal can end. */
export function run({ path, sizes, add }: BacklogRowsParameters): Measurement {
  const startMs = systemClock.monotonicMs()
  if (add === undefined) queueAgain(path, sizes)
  else addRows(path, add.kind, sizes, add.rows)
  return { units: add?.rows ?? 0, elapsedMs: systemClock.monotonicMs() - startMs }
}
