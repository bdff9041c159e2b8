/** The tables for people at a terminal. */
import { isMeant, metricsOf, numberText, type PeersFindings, type Row, summarize } from './findings.ts'
import { type Metric, type WorkName, workNames, works } from './works.ts'

export function printFindings(findings: PeersFindings): void {
  for (const work of workNames) {
    const rows = findings.works[work] ?? []
    if (rows.length > 0) printWork(work, rows)
  }
  console.log()
  for (const line of findings.leftOut) console.log(`  ${line}`)
  for (const { contender, work, round, reason } of findings.failures) {
    console.log(`  FAILED: ${contender}, ${work}, round ${round}: ${reason}`)
  }
  for (const [name, value] of Object.entries({ ...findings.environment, versions: findings.versions })) {
    console.log(`  ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  }
}

function printWork(work: WorkName, rows: readonly Row[]): void {
  const metrics = metricsOf(work)
  const [first] = metrics
  const table = [
    [
      'contender',
      'version',
      'durability',
      ...metrics.map(
        ({ title, unit }) => `${title === unit ? unit : `${title} (${unit})`}: median, min..max`,
      ),
      'ours (process) / this',
    ],
    ...rows.map((row) => [
      row.title,
      row.version,
      row.durability,
      ...metrics.map((metric) => cell(rows, row, metric)),
      ratioText(rows, row, first),
    ]),
  ]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  console.log(`\n${work}: ${works[work].summary}`)
  for (const row of table) {
    console.log(`  ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('   ')}`.trimEnd())
  }
}

function cell(rows: readonly Row[], row: Row, metric: Metric): string {
  const summary = isMeant(row, metric) ? summarize(rows, row, metric) : undefined
  if (summary === undefined) return '-'
  return `${numberText(summary.median)}, ${numberText(summary.min)}..${numberText(summary.max)}`
}

function ratioText(rows: readonly Row[], row: Row, metric: Metric | undefined): string {
  const ratio = metric === undefined ? undefined : summarize(rows, row, metric)?.ratio
  return ratio === undefined ? '-' : numberText(ratio)
}
