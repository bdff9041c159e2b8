import type { JobSeq } from '../job/id.ts'
import type { Counters } from './counters.ts'
import type { Expirations } from './expirations.ts'
import type { Lanes } from './lanes.ts'
import type { ReleasedRow } from './rows.ts'
import type { WriteStatements } from './write-statements.ts'

/** Has jobs wait for their turn that waited for something else before. Part of the job writer. */
export class Releases {
  readonly #sql: WriteStatements
  readonly #counters: Counters
  readonly #lanes: Lanes
  readonly #expirations: Expirations

  constructor(sql: WriteStatements, counters: Counters, lanes: Lanes, expirations: Expirations) {
    this.#sql = sql
    this.#counters = counters
    this.#lanes = lanes
    this.#expirations = expirations
  }

  /** One that waited for an older run of its subject. */
  release({ seq, queue, jobType }: Pick<ReleasedRow, 'seq' | 'queue' | 'jobType'>): void {
    if (this.#lanes.enter(jobType) === 'program') {
      this.#sql.jobReleaseProgram.run(seq)
      return
    }
    this.#sql.jobRelease.run(seq)
    this.#counters.move(queue, 'SCHEDULED', 'QUEUED')
  }

  /** Those that wait for an older run of their subject. */
  waitingForSubject(): readonly JobSeq[] {
    return this.#sql.subjectList.all().map(({ seq }) => seq)
  }

  /** Up to `limit` of those whose time has come; gives them. */
  promoteDue(now: number, limit: number): readonly ReleasedRow[] {
    const due = this.#sql.dueList.all(now, limit)
    for (const row of due) this.release(row)
    return due
  }

  /** When the next job that waits for a time may run, or has to end. */
  nextDue(): number | undefined {
    const runAt = this.#sql.dueNext.get()?.runAt ?? Number.POSITIVE_INFINITY
    const expiresAt = this.#expirations.next() ?? Number.POSITIVE_INFINITY
    const next = Math.min(runAt, expiresAt)
    return Number.isFinite(next) ? next : undefined
  }

  /** Has a claimed job that nobody here serves wait for an engine that does. */
  park(seq: JobSeq, claimedAttempt: number, queue: string): void {
    if (this.#sql.jobPark.run(claimedAttempt - 1, seq, claimedAttempt).changes === 0) return
    this.#counters.move(queue, 'RUNNING', 'SCHEDULED')
  }

  /** Up to `limit` of those that waited for a handler of one of these types; gives them. */
  releaseParked(jobTypes: readonly string[], limit: number): readonly ReleasedRow[] {
    const parked = this.#sql.parkedList.all(JSON.stringify(jobTypes), limit)
    for (const row of parked) this.release(row)
    return parked
  }

  parkedCount(): number {
    return this.#sql.parkedCount.get()?.jobs ?? 0
  }

  /** Has those wait with all others that wait as programs, and are of none of these types: they are programs no more. */
  releaseFromPrograms(programTypes: readonly string[], onReleased: (row: ReleasedRow) => void): void {
    for (const row of this.#sql.programsRelease.iterate(JSON.stringify(programTypes))) {
      this.#counters.move(row.queue, 'SCHEDULED', 'QUEUED')
      onReleased(row)
    }
  }
}
