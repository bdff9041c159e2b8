import type { JobSeq } from '../job/id.ts'
import { decodeRanges } from './ranges.ts'
import type { InterruptedRow } from './rows.ts'
import type { WriteStatements } from './write-statements.ts'

/** What the last process left: the jobs that were RUNNING at its last commit, and how it has died with programs. */
export class Interrupted {
  readonly #sql: WriteStatements
  /** As the last process left it: the first commit writes anew. */
  #uncleared: [first: number, last: number][] | undefined

  constructor(sql: WriteStatements) {
    this.#sql = sql
  }

  jobs(): InterruptedRow[] {
    return this.ranges().flatMap(([first, last]) => this.jobsIn(first, last))
  }

  /** The numbers that they are among. */
  ranges(): [first: number, last: number][] {
    this.#uncleared ??= this.#rangesOf('uncleared')
    return this.#rangesOf('claims')
  }

  /** False: its handler is known not to have begun. To be asked after `ranges`. */
  mayHaveBegun(seq: JobSeq): boolean {
    return this.#uncleared?.every(([first, last]) => seq < first || seq > last) ?? true
  }

  #rangesOf(name: string): [first: number, last: number][] {
    const text = this.#sql.metaGet.get(name)?.value
    return decodeRanges(typeof text === 'string' ? text : '')
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
