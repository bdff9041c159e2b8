import type { JobSeq } from '../job/id.ts'
import { summaryArtifact, summaryInArtifact } from '../job/json.ts'
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

  /** Where it is not in the artifact of summaries, an earlier one that was is listed no more. */
  jobSummarySet(seq: JobSeq, summary: string): void {
    this.#sql.jobSummarySet.run(summary, seq)
    if (summary === summaryInArtifact) return
    const artifacts = this.#artifactsOf(seq)
    const others = artifacts.filter(({ name }) => name !== summaryArtifact)
    if (others.length < artifacts.length) this.#sql.jobArtifactsSet.run(JSON.stringify(others), seq)
  }

  /** Adds files to those that the job keeps, each in place of the one of the same name. */
  jobArtifactsAdd(seq: JobSeq, added: readonly ArtifactEntry[]): void {
    const byName = new Map([...this.#artifactsOf(seq), ...added].map((entry) => [entry.name, entry]))
    this.#sql.jobArtifactsSet.run(JSON.stringify([...byName.values()]), seq)
  }

  #artifactsOf(seq: JobSeq): ArtifactEntry[] {
    const stored = this.#sql.jobArtifactsGet.get(seq)?.artifacts ?? null
    // The boundary: nothing else is written to this column.
    return stored === null ? [] : (JSON.parse(stored) as ArtifactEntry[])
  }
}
