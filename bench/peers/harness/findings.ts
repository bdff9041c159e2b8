/** What a run of the peers finds: one object, printed with --json and read again by the report. */
import { median, ratiosOf, round } from '../../scenario.ts'
import { type ContenderName, factsOf } from './registry.ts'
import { type Metric, type WorkName, works } from './works.ts'

export interface Row {
  readonly contender: ContenderName
  readonly title: string
  readonly version: string
  readonly durability: string
  /** By metric, one number a round. */
  readonly values: Readonly<Record<string, readonly number[]>>
}

export interface Failure {
  readonly contender: ContenderName
  readonly work: WorkName
  readonly round: number
  readonly reason: string
}

export interface PeersFindings {
  readonly works: Readonly<Partial<Record<WorkName, readonly Row[]>>>
  readonly leftOut: readonly string[]
  readonly failures: readonly Failure[]
  readonly versions: Readonly<Record<string, string>>
  readonly environment: Readonly<Record<string, unknown>>
}

/** The contender that all others are set against. */
const standard: ContenderName = 'ours-process'

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
  /** Of ours (process) to this one: the median of the ratios within each round. */
  readonly ratio: number | undefined
}

export function summarize(rows: readonly Row[], row: Row, { key }: Metric): Summary | undefined {
  const values = row.values[key] ?? []
  if (values.length === 0) return undefined
  const ours = rows.find(({ contender }) => contender === standard)?.values[key]
  const isComparable = row.contender !== standard && ours?.length === values.length
  return {
    median: round(median(values)),
    min: round(Math.min(...values)),
    max: round(Math.max(...values)),
    ratio: isComparable ? round(median(ratiosOf(ours, values))) : undefined,
  }
}

/** The metrics of a work that have a number for anyone; a contender without a server has none for it. */
export function metricsOf(work: WorkName): readonly Metric[] {
  return works[work].metrics
}

/** Whether this number says anything of this contender. */
export function isMeant(row: Row, { key }: Metric): boolean {
  return key !== 'server_mb' || factsOf(row.contender).server !== undefined
}

export function numberText(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 4 })
}
