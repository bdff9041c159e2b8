import { type Interval, medianInterval } from './interval.ts'
import { type Bar, isMet, median, ratiosOf, round, type Series } from './scenario.ts'

interface Spread {
  readonly min: number
  readonly max: number
  /** Of the median. */
  readonly interval95?: Interval
}

/** How far the runs of each figure lie apart. */
export function spreadOf(
  series: Readonly<Record<string, Series>>,
): Record<string, Readonly<Record<string, Spread>>> {
  return Object.fromEntries(
    Object.entries(series).map(([name, { values, references }]) => [
      name,
      references.length === 0
        ? { value: spread(values) }
        : {
            value: spread(values),
            reference: spread(references),
            ratio: { ...spread(ratiosOf(values, references)), ...intervalOf(values, references) },
          },
    ]),
  )
}

function spread(numbers: readonly number[]): Spread {
  return { min: round(Math.min(...numbers)), max: round(Math.max(...numbers)) }
}

/** Only for ratios: what the machine does to all runs of a side alike is not in the interval of a value. */
function intervalOf(values: readonly number[], references: readonly number[]): Pick<Spread, 'interval95'> {
  const interval = medianInterval(ratiosOf(values, references))
  return interval === undefined
    ? {}
    : { interval95: { low: round(interval.low), high: round(interval.high) } }
}

/** The table for people. */
export function printText(
  scenario: string,
  series: Readonly<Record<string, Series>>,
  environment: Readonly<Record<string, unknown>>,
): void {
  const rows = [['figure', 'median (min to max)', 'reference', 'ratio', '95 %', 'bar']]
  for (const [name, one] of Object.entries(series)) {
    const { unit, values, references, bar } = one
    const { interval95 } = intervalOf(values, references)
    rows.push([
      name,
      `${cell(values)} ${unit}`,
      references.length === 0 ? '' : `${cell(references)} ${unit}`,
      references.length === 0 ? '' : cell(ratiosOf(values, references)),
      interval95 === undefined ? '' : `${interval95.low} to ${interval95.high}`,
      bar === undefined ? '' : `${barText(bar, unit)}: ${isMet(bar, one) ? 'met' : 'MISSED'}`,
    ])
  }
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  console.log(`\n${scenario}`)
  for (const row of rows) {
    console.log(`  ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('   ')}`.trimEnd())
  }
  console.log()
  for (const [name, value] of Object.entries(environment)) {
    if (name !== 'spread')
      console.log(`  ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  }
}

function cell(numbers: readonly number[]): string {
  const [middle, min, max] = [median(numbers), Math.min(...numbers), Math.max(...numbers)].map((value) =>
    round(value).toLocaleString('en', { maximumSignificantDigits: 4 }),
  )
  return `${middle} (${min} to ${max})`
}

/** A ratio has no unit. */
function barText(bar: Bar, unit: string): string {
  if ('valueAtLeast' in bar) return `at least ${bar.valueAtLeast} ${unit}`
  if ('valueAtMost' in bar) return `at most ${bar.valueAtMost} ${unit}`
  return 'atLeast' in bar ? `at least ${bar.atLeast}` : `at most ${bar.atMost}`
}
