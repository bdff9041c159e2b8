import type { ExpiryTimes } from '../job/expiration.ts'
import type { JobSeq } from '../job/id.ts'
import type { ExpirationRow } from './rows.ts'
import type { WriteStatements } from './write-statements.ts'

/** When waiting jobs run out of time: see migrations/006_expirations. Part of the job writer. */
export class Expirations {
  readonly #sql: WriteStatements

  constructor(sql: WriteStatements) {
    this.#sql = sql
  }

  /** Notes the times of a new job; gives the first of them. */
  add(seq: JobSeq, { deadline, ttlEndsAt }: ExpiryTimes): number | undefined {
    if (deadline !== undefined) this.#sql.expirationInsert.run(Math.ceil(deadline), seq, 'deadline')
    if (ttlEndsAt !== undefined) this.#sql.expirationInsert.run(Math.ceil(ttlEndsAt), seq, 'ttl')
    const first = Math.min(deadline ?? Number.POSITIVE_INFINITY, ttlEndsAt ?? Number.POSITIVE_INFINITY)
    return Number.isFinite(first) ? Math.ceil(first) : undefined
  }

  /** The job has ended, or one of its times counts no more. */
  remove(seq: JobSeq, { deadline, ttlEndsAt }: ExpiryTimes): void {
    if (deadline !== undefined) this.#sql.expirationDelete.run(Math.ceil(deadline), seq, 'deadline')
    if (ttlEndsAt !== undefined) this.#sql.expirationDelete.run(Math.ceil(ttlEndsAt), seq, 'ttl')
  }

  /** Whether the job's first attempt is not known to have begun. */
  hasTtl(seq: JobSeq, ttlEndsAt: number): boolean {
    return this.#sql.expirationFind.get(Math.ceil(ttlEndsAt), seq) !== undefined
  }

  /** The first `limit` of those whose time has come, taken out of the table. */
  take(now: number, limit: number): readonly ExpirationRow[] {
    const due = this.#sql.expirationsDue.all(now, limit)
    for (const { expiresAt, seq, kind } of due) this.#sql.expirationDelete.run(expiresAt, seq, kind)
    return due
  }

  next(): number | undefined {
    return this.#sql.expirationNext.get()?.expiresAt ?? undefined
  }
}
