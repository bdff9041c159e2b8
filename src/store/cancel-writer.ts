/**
 * Cancels of many jobs, as they are stored: the requests, the walk over the jobs that they may match, and the end of those
 * that wait.
 *
 * A walk goes by an index and never looks at a job twice. By a tag or a group it sees every job that has it, in the order
 * of their numbers, which nothing changes. Otherwise it sees all that waits: what is SCHEDULED first and the backlog last,
 * since a job that waits comes into the backlog and not out of it; one that is claimed meanwhile, or moved by a claim, is
 * for the claim to see.
 */
import type { Database } from 'better-sqlite3'
import type { JobCriteria } from '../job/criteria.ts'
import type { JobSeq } from '../job/id.ts'
import type { WaitsFor } from '../job/state.ts'
import type { Counters } from './counters.ts'
import { type Lane, waitingState } from './lanes.ts'
import type { LabelledClaimRow, WaitingRow } from './rows.ts'
import { type Prepared, writeSql } from './write-statements.ts'

/** A job that a walk came by; what it waits for is null when it runs or has ended. */
export interface ExaminedRow extends Omit<WaitingRow, 'waitsFor'> {
  readonly waitsFor: WaitsFor | null
  readonly runAt: number | null
  readonly priority: number
  readonly userTag: string | null
  readonly chainGroupId: string | null
}

/** The job that a walk came by last. By number alone where it goes by numbers. */
export type WalkCursor =
  | { readonly seq: number }
  | (Pick<ExaminedRow, 'runAt' | 'suspicion' | 'priority'> & {
      readonly seq: number
      readonly waitsFor: WaitsFor
    })

export interface StoredCancelRequest {
  readonly id: number
  readonly criteria: JobCriteria
  readonly lastSeq: JobSeq
  readonly cursor: WalkCursor | undefined
}

/** What a claim leaves out. */
export interface SkippedClaims {
  /** True: the job is not to be claimed. */
  skips(row: LabelledClaimRow): boolean
  /** So much was skipped that it is to be done away with first. */
  readonly isFull: boolean
}

/** Every kind of waiting, in the order of the walk. Programs may come into the backlog: after a change of their type. */
const walkOrder = Object.keys({
  subject: true,
  time: true,
  handler: true,
  program: true,
  turn: true,
} satisfies Record<WaitsFor, true>) as WaitsFor[]

export class CancelWriter {
  readonly #counters: Counters
  readonly #sql: ReturnType<typeof prepareCancels>

  constructor(database: Database, counters: Counters) {
    this.#counters = counters
    this.#sql = prepareCancels(database)
  }

  requestInsert(criteria: JobCriteria, createdAt: number, lastSeq: JobSeq): StoredCancelRequest {
    const inserted = this.#sql.requestInsert.get(JSON.stringify(criteria), createdAt, lastSeq)
    return { id: inserted?.id ?? 0, criteria, lastSeq, cursor: undefined }
  }

  /** Those that are under way. */
  requests(): StoredCancelRequest[] {
    return this.#sql.requestsAll.all().map(({ id, criteria, lastSeq, cursor }) => ({
      id,
      lastSeq,
      // The boundary where what was stored gets its type again.
      criteria: JSON.parse(criteria) as JobCriteria,
      cursor: cursor === null ? undefined : (JSON.parse(cursor) as WalkCursor),
    }))
  }

  requestAdvance(id: number, cursor: WalkCursor): void {
    this.#sql.requestAdvance.run(JSON.stringify(cursor), id)
  }

  requestDelete(id: number): void {
    this.#sql.requestDelete.run(id)
  }

  /** The jobs that may match, after the cursor. While it is read nothing may be written. */
  walk({ criteria, lastSeq, cursor }: StoredCancelRequest): IterableIterator<ExaminedRow> {
    const labelled = this.labelled(criteria, cursor?.seq ?? 0, lastSeq)
    if (labelled !== undefined) return labelled
    return this.#waiting(cursor !== undefined && 'waitsFor' in cursor ? cursor : undefined)
  }

  /** The jobs with numbers in (after, last] that have the tag or the group; undefined when neither is asked for. */
  labelled(
    { userTag, chainGroupId }: JobCriteria,
    after: number,
    last: number,
  ): IterableIterator<ExaminedRow> | undefined {
    if (userTag !== undefined) return this.#sql.taggedAfter.iterate(userTag, after, last)
    if (chainGroupId !== undefined) return this.#sql.groupedAfter.iterate(chainGroupId, after, last)
    return undefined
  }

  *#waiting(cursor: Extract<WalkCursor, { waitsFor: WaitsFor }> | undefined): IterableIterator<ExaminedRow> {
    const { afterSeq, afterPriority, afterSuspicion, afterTime } = this.#sql
    const firstPlace = cursor === undefined ? 0 : walkOrder.indexOf(cursor.waitsFor)
    for (const waitsFor of walkOrder.slice(firstPlace)) {
      if (waitsFor === cursor?.waitsFor) {
        const { runAt, suspicion, priority, seq } = cursor
        yield* afterSeq.iterate(waitsFor, runAt, suspicion, priority, seq)
        yield* afterPriority.iterate(waitsFor, runAt, suspicion, priority)
        yield* afterSuspicion.iterate(waitsFor, runAt, suspicion)
        yield* afterTime.iterate(waitsFor, runAt ?? beforeAllTimes)
      } else {
        yield* afterSuspicion.iterate(waitsFor, null, beforeAllSuspicion)
        yield* afterTime.iterate(waitsFor, beforeAllTimes)
      }
    }
  }

  /** What waits in a lane, in the order of claims, but for what is skipped. */
  *backlogWithout(lane: Lane, skipped: SkippedClaims): IterableIterator<LabelledClaimRow> {
    for (const row of this.#sql.backlogPeekLabelled[lane].iterate()) {
      if (!skipped.skips(row)) yield row
      else if (skipped.isFull) return
    }
  }

  /** Ends jobs that are claimed, and whose handlers have not begun: their last attempt is none. */
  endClaimed(jobs: readonly { readonly seq: JobSeq; readonly queue: string }[], now: number): void {
    if (jobs.length === 0) return
    this.#sql.jobsCancelClaimed.run(now, `[${jobs.map(({ seq }) => seq).join()}]`)
    for (const { queue } of jobs) this.#counters.move(queue, 'RUNNING', 'CANCELLED')
  }

  /** Ends jobs that wait. */
  endWaiting(rows: readonly WaitingRow[], now: number): void {
    if (rows.length === 0) return
    this.#sql.jobsCancelWaiting.run(now, `[${rows.map(({ seq }) => seq).join()}]`)
    for (const { queue, waitsFor } of rows) this.#counters.move(queue, waitingState(waitsFor), 'CANCELLED')
  }
}

const beforeAllTimes = Number.MIN_SAFE_INTEGER
const beforeAllSuspicion = -1

interface RequestRow {
  readonly id: number
  readonly criteria: string
  readonly lastSeq: JobSeq
  readonly cursor: string | null
}

function prepareCancels(database: Database) {
  const prepare = <Parameters extends unknown[], Row = unknown>(sql: string): Prepared<Parameters, Row> =>
    database.prepare<Parameters, Row>(sql)
  return {
    backlogPeekLabelled: {
      trusted: prepare<[], LabelledClaimRow>(writeSql.backlogPeekLabelledTrusted),
      suspects: prepare<[], LabelledClaimRow>(writeSql.backlogPeekLabelledSuspects),
      exclusive: prepare<[], LabelledClaimRow>(writeSql.backlogPeekLabelledExclusive),
      programs: prepare<[], LabelledClaimRow>(writeSql.backlogPeekLabelledPrograms),
    } satisfies Record<Lane, unknown>,
    requestInsert: prepare<[string, number, JobSeq], { id: number }>(writeSql.cancelRequestInsert),
    requestsAll: prepare<[], RequestRow>(writeSql.cancelRequestsAll),
    requestAdvance: prepare<[string, number]>(writeSql.cancelRequestAdvance),
    requestDelete: prepare<[number]>(writeSql.cancelRequestDelete),
    taggedAfter: prepare<[string, number, number], ExaminedRow>(writeSql.taggedAfter),
    groupedAfter: prepare<[string, number, number], ExaminedRow>(writeSql.groupedAfter),
    afterSeq: prepare<[WaitsFor, number | null, number, number, number], ExaminedRow>(
      writeSql.waitingAfterSeq,
    ),
    afterPriority: prepare<[WaitsFor, number | null, number, number], ExaminedRow>(
      writeSql.waitingAfterPriority,
    ),
    afterSuspicion: prepare<[WaitsFor, number | null, number], ExaminedRow>(writeSql.waitingAfterSuspicion),
    afterTime: prepare<[WaitsFor, number], ExaminedRow>(writeSql.waitingAfterTime),
    jobsCancelWaiting: prepare<[number, string]>(writeSql.jobsCancelWaiting),
    jobsCancelClaimed: prepare<[number, string]>(writeSql.jobsCancelClaimed),
  }
}
