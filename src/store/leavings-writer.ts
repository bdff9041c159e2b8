import type { JobSeq } from '../job/id.ts'
import type { ArtifactEntry, ProgressRow } from './rows.ts'
import type { WriteStatements } from './write-statements.ts'

/** What jobs leave behind beside their results. */
export class LeavingsWriter {
  readonly #sql: WriteStatements

  constructor(sql: WriteStatements) {
    this.#sql = sql
  }

  /** False: it is what is stored already. */
  progressSet(seq: JobSeq, { fraction, note, at }: ProgressRow): boolean {
    return this.#sql.progressSet.run(seq, fraction, note, at).changes > 0
  }

  jobSummarySet(seq: JobSeq, summary: string): void {
    this.#sql.jobSummarySet.run(summary, seq)
  }

  /** Adds files to those that the job keeps, each in place of the one of the same name. */
  jobArtifactsAdd(seq: JobSeq, added: readonly ArtifactEntry[]): void {
    const stored = this.#sql.jobArtifactsGet.get(seq)?.artifacts ?? null
    // The boundary: nothing else is written to this column.
    const before = stored === null ? [] : (JSON.parse(stored) as ArtifactEntry[])
    const byName = new Map([...before, ...added].map((entry) => [entry.name, entry]))
    this.#sql.jobArtifactsSet.run(JSON.stringify([...byName.values()]), seq)
  }
}
