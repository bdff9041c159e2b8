import type { Durability } from '../src/config.ts'

/** One number that a scenario finds, as it is printed with --json. */
export interface Figure {
  /** The median of all runs. */
  readonly value: number
  readonly unit: string
  /** The median of what it is compared with, in the same unit. */
  readonly reference?: number
  /** The median of the ratios within each pair: what the machine does between pairs cancels out. */
  readonly ratio?: number
}

/** What a figure has to be: its ratio to the reference, or, where time itself is promised, its value. */
export type Bar =
  | { readonly atLeast: number }
  | { readonly atMost: number }
  | { readonly valueAtLeast: number }
  | { readonly valueAtMost: number }

/** The runs behind a figure, in order. */
export interface Series {
  readonly unit: string
  readonly values: readonly number[]
  /** One for each value, or none at all. */
  readonly references: readonly number[]
  /** Missing where the figure is there to explain another one. */
  readonly bar?: Bar
}

export interface ScenarioSettings {
  /** Small parameters: does it work at all? Its figures mean nothing. */
  readonly isSmoke: boolean
  /** How often each side is run. */
  readonly pairs: number
  readonly durability: Durability
  /** Makes an empty folder on the disk that is measured. */
  newFolder(): string
  /** Removes such a folder, as soon as it is not needed. */
  dropFolder(folder: string): void
  /** Tells whoever waits what is going on. */
  tell(line: string): void
}

export interface ScenarioResult {
  readonly series: Readonly<Record<string, Series>>
  /** With what the figures were found. */
  readonly parameters: Readonly<Record<string, unknown>>
}

export interface Scenario {
  readonly summary: string
  readonly pairs: number
  run(settings: ScenarioSettings): Promise<ScenarioResult>
}

/**
 * Runs both sides in turn, A B A B, so that both see the same weather. A pair without a reference, as one whose
 * reference comes from another figure, is not for this.
 */
export async function runPairs(
  { pairs, tell }: ScenarioSettings,
  unit: string,
  bar: Bar,
  measure: () => Promise<number>,
  measureReference: () => Promise<number>,
): Promise<Series> {
  const values: number[] = []
  const references: number[] = []
  for (let pair = 1; pair <= pairs; pair++) {
    const value = await measure()
    const reference = await measureReference()
    values.push(value)
    references.push(reference)
    tell(`pair ${pair} of ${pairs}: ${round(value)} against ${round(reference)} ${unit}`)
  }
  return { unit, values, references, bar }
}

/** How long each run kept the event loop of the host thread from coming round, at the worst. */
export function stallSeries(stallsMs: readonly number[]): Series {
  return { unit: 'ms', values: stallsMs, references: [], bar: { valueAtMost: 20 } }
}

/** Has `use` work in a new folder, and removes it. */
export async function inFolder<Result>(
  { newFolder, dropFolder }: ScenarioSettings,
  use: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = newFolder()
  try {
    return await use(folder)
  } finally {
    dropFolder(folder)
  }
}

export function toFigure({ unit, values, references }: Series): Figure {
  const value = round(median(values))
  if (references.length === 0) return { value, unit }
  return {
    value,
    unit,
    reference: round(median(references)),
    ratio: round(median(ratiosOf(values, references))),
  }
}

/** Within each pair; none where there is no reference. */
export function ratiosOf(values: readonly number[], references: readonly number[]): number[] {
  return references.map((reference, index) => (values[index] ?? Number.NaN) / reference)
}

/** @throws nothing; NaN of an empty list */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Four digits are more than any of this is worth. */
export function round(value: number): number {
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4))
}

export function isMet(bar: Bar, { values, references }: Series): boolean {
  if ('valueAtLeast' in bar) return median(values) >= bar.valueAtLeast
  if ('valueAtMost' in bar) return median(values) <= bar.valueAtMost
  const ratio = median(ratiosOf(values, references))
  return 'atLeast' in bar ? ratio >= bar.atLeast : ratio <= bar.atMost
}
