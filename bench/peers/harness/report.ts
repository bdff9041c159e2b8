/** The command line of the report: measures, and writes what it found as text, charts and JSON. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPeers } from './command.ts'
import { peersFolder } from './installed.ts'
import { type Results, renderMarkdown } from './markdown.ts'
import { readPeersOrder } from './order.ts'
import { runOwnScenarios } from './own-scenarios.ts'
import { type ReportOrder, readReportOrder, reportHelp } from './report-order.ts'

function tell(line: string): void {
  console.error(line)
}

async function measure({ isSmoke, rounds, pairs }: ReportOrder): Promise<Results> {
  const words = [
    ...(isSmoke ? ['--smoke'] : []),
    ...(rounds === undefined ? [] : ['--rounds', String(rounds)]),
  ]
  const order = readPeersOrder(words)
  if (order === 'help') throw new Error('These words ask for no help')
  const peers = await findPeers(order, tell)
  const { scenarios, failures } = await runOwnScenarios({ isSmoke, pairs }, tell)
  return { peers, scenarios, failures }
}

async function report(order: ReportOrder): Promise<void> {
  if (!existsSync(join(peersFolder, 'node_modules/echarts'))) {
    throw new Error('The peers are not installed: run `npm run bench:peers:install`.')
  }
  // The boundary where the file gets its type: the report wrote it.
  const results =
    order.from === undefined
      ? await measure(order)
      : (JSON.parse(readFileSync(order.from, 'utf8')) as Results)
  const { renderCharts } = await import('./charts.ts')
  const chartsFolder = join(order.outputFolder, 'charts')
  mkdirSync(chartsFolder, { recursive: true })
  if (order.from === undefined) {
    writeFileSync(join(order.outputFolder, 'results.json'), `${JSON.stringify(results, null, 1)}\n`)
  }
  for (const [name, svg] of Object.entries(renderCharts(results.peers))) {
    writeFileSync(join(chartsFolder, `${name}.svg`), svg)
  }
  const file = join(order.outputFolder, 'RESULTS.md')
  writeFileSync(file, renderMarkdown(results))
  tell(`Written: ${file}, charts beside it`)
  const failed = results.failures.length + results.peers.failures.length
  if (failed > 0) {
    tell(`${failed} runs failed; the report names them.`)
    process.exitCode = 1
  }
}

try {
  const order = readReportOrder(process.argv.slice(2))
  if (order === 'help') console.log(reportHelp)
  else await report(order)
} catch (error) {
  console.error(`bench:report: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
