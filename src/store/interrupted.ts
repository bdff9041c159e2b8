import { decodeRanges } from './ranges.ts'
import type { InterruptedRow } from './rows.ts'
import type { WriteStatements } from './write-statements.ts'

/** What the last process left: the jobs that were RUNNING at its last commit, and how it has died with programs. */
export class Interrupted {
  readonly #sql: WriteStatements

  constructor(sql: WriteStatements) {
    this.#sql = sql
  }

  jobs(): InterruptedRow[] {
    return this.ranges().flatMap(([first, last]) => this.jobsIn(first, last))
  }

  /** The numbers that they are among. */
  ranges(): [first: number, last: number][] {
    const claims = this.#sql.metaGet.get('claims')?.value
    return decodeRanges(typeof claims === 'string' ? claims : '')
  }

  jobsIn(first: number, last: number): InterruptedRow[] {
    return this.#sql.interruptedRange.all(first, last)
  }

  /** By number: how often in a row the process has died while a program ran. */
  get programDeaths(): readonly (readonly [seq: number, deaths: number])[] {
    const text = this.#sql.metaGet.get('program_deaths')?.value
    // The boundary: nobody else writes it.
    return typeof text === 'string' ? (JSON.parse(text) as [number, number][]) : []
  }

  keepProgramDeaths(deaths: readonly (readonly [seq: number, deaths: number])[]): void {
    this.#sql.metaSet.run('program_deaths', JSON.stringify(deaths))
  }
}
