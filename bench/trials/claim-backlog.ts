import { systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import { lowestPriority } from '../../src/job/spec.ts'
import { closeWriter } from '../../src/store/close.ts'
import { openWriter } from '../../src/store/open.ts'
import { BlockRanges } from '../../src/store/ranges.ts'
import type { ClaimedRow } from '../../src/store/rows.ts'
import { JobWriter } from '../../src/store/writer.ts'
import type { Measurement } from '../trials.ts'

export interface ClaimBacklogParameters {
  /** A database that holds a backlog of at least so many jobs. */
  readonly path: string
  readonly durability: Durability
  /** Jobs before the time begins: they bring the pages into the cache. */
  readonly warmUpJobs: number
  readonly jobs: number
  /** Jobs that are claimed in one transaction. */
  readonly claimJobs: number
}

/** As the supervisor does. */
const maxCharacters = 16_000_000

/**
 * Claims from the backlog as the supervisor does, through the same writer, but without threads that would do the jobs:
 * they are settled at once, in a transaction of its own. Only the claims are timed, each with its commit.
 *
 * @throws when the backlog is too small
 */
export function run(parameters: ClaimBacklogParameters): Measurement {
  const { path, durability, warmUpJobs, jobs, claimJobs } = parameters
  const database = openWriter({ path, durability })
  try {
    const writer = new JobWriter(database)
    const claimAll = (count: number): number => {
      let elapsedMs = 0
      for (let claimed = 0; claimed < count; claimed += claimJobs) {
        const startMs = systemClock.monotonicMs()
        const rows = claim(writer, claimJobs)
        elapsedMs += systemClock.monotonicMs() - startMs
        if (rows.length !== claimJobs) throw new Error(`The backlog ends after ${claimed + rows.length} jobs`)
        settle(writer, rows)
      }
      return elapsedMs
    }
    claimAll(warmUpJobs)
    return { units: jobs, elapsedMs: claimAll(jobs) }
  } finally {
    closeWriter(database)
  }
}

function claim(writer: JobWriter, jobs: number): ClaimedRow[] {
  writer.begin()
  const rows: ClaimedRow[] = []
  const claims = new BlockRanges()
  writer.backlogClaim('trusted', maxCharacters, lowestPriority, (row, claimed) => {
    rows.push(row)
    claims.add(row.seq)
    return claimed < jobs
  })
  writer.commit(claims.encode())
  return rows
}

function settle(writer: JobWriter, rows: readonly ClaimedRow[]): void {
  const now = systemClock.wallMs()
  writer.begin()
  for (const { seq, attempt, queue } of rows) writer.jobSettleDone(seq, attempt, queue, now, now, undefined)
  writer.commit('')
}
