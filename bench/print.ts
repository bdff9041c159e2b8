import { type Bar, isMet, median, ratiosOf, round, type Series } from './scenario.ts'

interface Spread {
  readonly min: number
  readonly max: number
}

/** How far the runs of each figure lie apart. */
export function spreadOf(
  series: Readonly<Record<string, Series>>,
): Record<string, Readonly<Record<'value' | 'reference' | 'ratio', Spread>>> {
  return Object.fromEntries(
    Object.entries(series).map(([name, { values, references }]) => [
      name,
      {
        value: spread(values),
        reference: spread(references),
        ratio: spread(ratiosOf(values, references)),
      },
    ]),
  )
}

function spread(numbers: readonly number[]): Spread {
  return { min: round(Math.min(...numbers)), max: round(Math.max(...numbers)) }
}

/** The table for people. */
export function printText(
  scenario: string,
  series: Readonly<Record<string, Series>>,
  environment: Readonly<Record<string, unknown>>,
): void {
  const rows = [['figure', 'median (min to max)', 'reference', 'ratio', 'bar']]
  for (const [name, { unit, values, references, bar }] of Object.entries(series)) {
    const ratios = ratiosOf(values, references)
    rows.push([
      name,
      `${cell(values)} ${unit}`,
      `${cell(references)} ${unit}`,
      cell(ratios),
      `${barText(bar)}: ${isMet(bar, median(ratios)) ? 'met' : 'MISSED'}`,
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

function barText(bar: Bar): string {
  return 'atLeast' in bar ? `at least ${bar.atLeast}` : `at most ${bar.atMost}`
}
