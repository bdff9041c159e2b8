import { resolveDirectory } from '../indexer/discover.ts'
import { assertIndexOf } from '../indexer/index-snapshot.ts'
import { type IndexTotals, readTotals } from '../indexer/index-totals.ts'
import { statePaths } from '../indexer/state-folder.ts'
import { exitCodes } from './exit-codes.ts'
import { noIndex } from './search-command.ts'

interface StatusCommandOptions {
  readonly state?: string
  readonly json?: boolean
}

export function runStatus(directory: string, options: StatusCommandOptions): number {
  const root = resolveDirectory(directory)
  const paths = statePaths(root, options.state)
  assertIndexOf(paths, root)
  const totals = readTotals(paths.index)
  if (totals === undefined) throw noIndex(root)
  process.stdout.write(options.json === true ? asJson(totals) : asText(root, totals))
  return exitCodes.ok
}

function asJson(totals: IndexTotals): string {
  const { files, symbols, bytes, languages, isRunOpen, lastSummary } = totals
  const lastRun: unknown = lastSummary === undefined ? null : JSON.parse(lastSummary)
  return `${JSON.stringify({ files, symbols, bytes, languages, run_open: isRunOpen, last_run: lastRun })}\n`
}

function asText(root: string, totals: IndexTotals): string {
  const { files, symbols, bytes, languages, isRunOpen } = totals
  const byLanguage = Object.entries(languages).map(([language, count]) => `${language} ${count}`)
  const state = isRunOpen
    ? 'a run is going on, or was stopped before it was done: `semantica index` goes on with it'
    : 'complete'
  return [
    `index of ${root}`,
    `  ${files} files, ${symbols} definitions, ${(bytes / 1e6).toFixed(1)} MB`,
    `  ${byLanguage.length > 0 ? byLanguage.join(', ') : 'nothing indexed'}`,
    `  ${state}`,
    '',
  ].join('\n')
}
