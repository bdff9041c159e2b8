/** The report as text. It needs nothing of the peers, so that it can be tried without them. */
import { round } from '../../scenario.ts'
import { isMeant, metricsOf, numberText, type PeersFindings, type Row, summarize } from './findings.ts'
import { notComparable, renderEnvironment, renderRepeat, renderSetups } from './markdown-method.ts'
import { renderScenarios } from './markdown-scenarios.ts'
import { renderTable } from './markdown-table.ts'
import type { ScenarioFindings } from './own-scenarios.ts'
import { contenderNames } from './registry.ts'
import { chartOf, type Metric, type WorkName, workNames, works } from './works.ts'

/** What a whole run of the report has found; kept as results.json. */
export interface Results {
  readonly peers: PeersFindings
  readonly scenarios: readonly ScenarioFindings[]
  /** Own scenarios that failed. */
  readonly failures: readonly string[]
}

export function renderMarkdown({ peers, scenarios, failures }: Results): string {
  const { environment } = peers
  const sections = [
    '# Benchmark results',
    `Measured on ${String(environment.date).slice(0, 10)} at commit ${environment.commit}, on ${environment.cores} cores (${environment.cpu}). Each figure is the median over the rounds; in brackets are the least and the greatest. Written by \`npm run bench:report\`; the raw numbers are in [results.json](results.json).`,
    isSmoke(environment) ? '**A smoke run: it shows that everything works, its figures mean nothing.**' : '',
    ...renderProblems(peers, failures),
    '## In short',
    renderSummary(peers),
    notComparable,
    ...workNames.flatMap((work) => renderWork(peers, work)),
    '## The engine by itself',
    renderScenarios(scenarios),
    '## How each was set up',
    renderSetups(peers),
    '## Environment',
    renderEnvironment(peers),
    '## Repeat it',
    renderRepeat(),
  ]
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`
}

function isSmoke(environment: PeersFindings['environment']): boolean {
  // The boundary where a part of the environment gets its type.
  return (environment.parameters as { smoke?: boolean } | undefined)?.smoke === true
}

function renderProblems({ leftOut, failures }: PeersFindings, ownFailures: readonly string[]): string[] {
  const lines = [
    ...leftOut.map((line) => `- ${line}`),
    ...failures.map(({ contender, work, round: at, reason }) => {
      return `- Failed: ${contender}, ${work}, round ${at}: ${reason.split('\n')[0]}`
    }),
    ...ownFailures.map((line) => `- Failed: own scenario ${line.split('\n')[0]}`),
  ]
  return lines.length === 0 ? [] : [lines.join('\n')]
}

/** One row a contender, one column a work: medians alone. */
function renderSummary({ works: found }: PeersFindings): string {
  const columns = workNames.flatMap((work) => {
    const rows = found[work] ?? []
    return rows.length === 0 ? [] : [{ work, rows, metric: works[work].metrics[0] }]
  })
  const all = columns.flatMap(({ rows }) => rows)
  const names = contenderNames.flatMap((name) => all.find(({ contender }) => contender === name) ?? [])
  return renderTable(
    [
      'contender',
      'durability',
      ...columns.map(({ work, metric }) => `${works[work].brief}, ${metric.short}`),
    ],
    names.map((row) => [
      nameOf(row),
      row.durability,
      ...columns.map(({ rows, metric }) => {
        const own = rows.find(({ contender }) => contender === row.contender)
        const summary = own === undefined ? undefined : summarize(rows, own, metric)
        return summary === undefined ? '–' : numberText(summary.median)
      }),
    ]),
  )
}

function nameOf({ contender, title }: Row): string {
  return contender.startsWith('ours-') ? `**${title}**` : title
}

function renderWork({ works: found }: PeersFindings, work: WorkName): string[] {
  const rows = found[work] ?? []
  if (rows.length === 0) return []
  const { title, summary, note } = works[work]
  const metrics = metricsOf(work)
  const [first] = metrics
  const chart = chartOf(work)
  const sentence = `${summary[0]?.toUpperCase()}${summary.slice(1)}.`
  return [
    `## ${title}`,
    note === '' ? sentence : `${sentence} ${note}`,
    chart === undefined ? '' : `![${title}](charts/${chart}.svg)`,
    renderTable(
      ['contender', 'version', 'durability', ...metrics.map(heading), 'ours (process) / this'],
      rows.map((row) => [
        nameOf(row),
        row.version,
        row.durability,
        ...metrics.map((metric) => cell(rows, row, metric)),
        first === undefined ? '–' : ratioText(rows, row, first),
      ]),
    ),
  ]
}

function heading({ title, unit }: Metric): string {
  return title === unit ? unit : `${title}, ${unit}`
}

function cell(rows: readonly Row[], row: Row, metric: Metric): string {
  const summary = isMeant(row, metric) ? summarize(rows, row, metric) : undefined
  if (summary === undefined) return '–'
  return `${numberText(summary.median)} (${numberText(summary.min)} to ${numberText(summary.max)})`
}

function ratioText(rows: readonly Row[], row: Row, metric: Metric): string {
  const ratio = summarize(rows, row, metric)?.ratio
  if (ratio === undefined || !Number.isFinite(ratio)) return '–'
  return numberText(round(Number(ratio.toPrecision(3))))
}
