/** Reads the command line of the report. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export interface ReportOrder {
  /** A file of earlier results, to be rendered anew without measuring. */
  readonly from: string | undefined
  readonly outputFolder: string
  readonly isSmoke: boolean
  readonly rounds: number | undefined
  readonly pairs: number | undefined
}

export const reportHelp = `Usage: npm run bench:report -- [options]

Measures the engine beside other job queues, and by its own scenarios, and writes RESULTS.md, charts/*.svg and
results.json. Needs \`npm run bench:peers:install\`, and PostgreSQL and Redis for those that store in them.

Options:
  --from FILE        render the results of an earlier run, and measure nothing
  --output FOLDER    where to write (default: bench)
  --smoke            small parameters: shows that it works, measures nothing
  --rounds N         rounds of the peers (default: 5; with --smoke 1)
  --pairs N          pairs of the own scenarios (default: 5; with --smoke 1)
  --help             print this
`

/** What the report takes, in place of what each scenario would take by itself: the whole is to end while one waits. */
const defaultPairs = 5

/** @throws when an option is not allowed */
export function readReportOrder(commandLine: readonly string[]): ReportOrder | 'help' {
  const { values } = parseArgs({
    args: [...commandLine],
    options: {
      from: { type: 'string' },
      output: { type: 'string' },
      smoke: { type: 'boolean' },
      rounds: { type: 'string' },
      pairs: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return 'help'
  const isSmoke = values.smoke === true
  if (isSmoke && values.output === undefined) {
    throw new Error('--smoke measures nothing: name a folder for what it writes with --output.')
  }
  return {
    from: values.from,
    outputFolder: resolve(values.output ?? resolve(import.meta.dirname, '../..')),
    isSmoke,
    rounds: readCount('--rounds', values.rounds),
    pairs: readCount('--pairs', values.pairs) ?? (isSmoke ? undefined : defaultPairs),
  }
}

function readCount(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const count = Number(value)
  if (Number.isInteger(count) && count >= 1 && count <= 1_000) return count
  throw new Error(`${option} is ${value}. Allowed: a whole number from 1 to 1,000.`)
}
