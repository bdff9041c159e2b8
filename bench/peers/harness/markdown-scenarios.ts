/** The engine's own scenarios as a table: each figure beside its reference, and beside what it has to reach. */
import { numberText } from './findings.ts'
import { renderTable } from './markdown-table.ts'
import type { ScenarioFindings } from './own-scenarios.ts'

export function renderScenarios(scenarios: readonly ScenarioFindings[]): string {
  if (scenarios.length === 0) return 'None was run.'
  const rows = scenarios.flatMap(({ scenario, figures, environment }) =>
    Object.entries(figures).map(([name, { value, unit, reference, ratio }]) => {
      const spread = environment.spread?.[name]?.value
      const range = spread === undefined ? '' : ` (${numberText(spread.min)} to ${numberText(spread.max)})`
      return [
        scenario,
        name,
        `${numberText(value)}${range} ${unit}`,
        reference === undefined ? '–' : `${numberText(reference)} ${unit}`,
        ratio === undefined ? '–' : numberText(ratio),
        barText(environment.bars?.[name], value, ratio),
      ]
    }),
  )
  return [
    'Each scenario runs beside a reference of its own, in turn: what the same machine does at the same time with the part that is being asked about, and nothing else (`npm run --silent bench -- --help` says what each is).',
    renderTable(['scenario', 'figure', 'median', 'reference', 'ratio', 'bar'], rows),
  ].join('\n\n')
}

/** A bar is for the ratio where there is one, and else for the value itself. */
function barText(
  bar: Readonly<Record<string, number>> | undefined,
  value: number,
  ratio: number | undefined,
): string {
  const { atLeast, atMost, valueAtLeast, valueAtMost } = bar ?? {}
  const least = atLeast ?? valueAtLeast
  const most = atMost ?? valueAtMost
  const found = atLeast === undefined && atMost === undefined ? value : (ratio ?? Number.NaN)
  if (least !== undefined) return `≥ ${least}: ${found >= least ? 'met' : '**missed**'}`
  if (most !== undefined) return `≤ ${most}: ${found <= most ? 'met' : '**missed**'}`
  return '–'
}
