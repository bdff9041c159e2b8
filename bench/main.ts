/** The command line of the bench. */
import { parseArgs } from 'node:util'
import type { Durability } from '../src/config.ts'
import { describeEnvironment } from './environment.ts'
import { printText, spreadOf } from './print.ts'
import { type Scenario, toFigure } from './scenario.ts'
import { backlog } from './scenarios/backlog.ts'
import { burst } from './scenarios/burst.ts'
import { cancel } from './scenarios/cancel.ts'
import { cancelMany } from './scenarios/cancel-many.ts'
import { cpu } from './scenarios/cpu.ts'
import { enqueue } from './scenarios/enqueue.ts'
import { floor } from './scenarios/floor.ts'
import { index } from './scenarios/index.ts'
import { latency } from './scenarios/latency.ts'
import { logs } from './scenarios/logs.ts'
import { maintenance } from './scenarios/maintenance.ts'
import { soak } from './scenarios/soak.ts'
import { start } from './scenarios/start.ts'
import { supersede } from './scenarios/supersede.ts'
import { throughput } from './scenarios/throughput.ts'
import { Scratch } from './scratch.ts'

const scenarios: Readonly<Record<string, Scenario>> = {
  floor,
  enqueue,
  throughput,
  cpu,
  latency,
  burst,
  cancel,
  'cancel-many': cancelMany,
  supersede,
  backlog,
  maintenance,
  index,
  logs,
  start,
  soak,
}
const durabilities: readonly Durability[] = ['process', 'power']

interface Order {
  readonly name: string
  readonly scenario: Scenario
  readonly isJson: boolean
  readonly isSmoke: boolean
  readonly pairs: number
  readonly durability: Durability
}

/** Something that the user got wrong. */
class UsageError extends Error {}

function helpText(): string {
  const list = Object.entries(scenarios).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`)
  return `Usage: npm run --silent bench -- SCENARIO [options]

Each run of each side has a process of its own; the two sides take turns; figures are medians, and a ratio is the
median of the ratios within each pair, from six pairs on with a 95 % confidence interval for that median. Time to start
is counted by start and index only, and the results are checked.

Scenarios:
${list.join('\n')}

  peers        the engine beside other job queues; see: peers --help

Options:
  --json               print one JSON object: {scenario, figures, environment}
  --smoke              small parameters: shows that it works, measures nothing
  --pairs N            how often each side is run, 1 to 1,000 (default: by scenario; with --smoke 1);
                       a loss counts where ten pairs put the interval of the ratio below 0.97
  --durability D       process (default) or power: what the engine's promises are to survive
  --help               print this
`
}

function readOrder(commandLine: readonly string[]): Order | 'help' {
  const { values, positionals } = parse(commandLine)
  if (values.help === true) return 'help'
  const [name, ...others] = positionals
  const known = `Scenarios: ${Object.keys(scenarios).join(', ')}.`
  if (name === undefined) throw new UsageError(`No scenario is named. ${known}`)
  if (others.length > 0)
    throw new UsageError(`One scenario at a time, not also ${others.join(' ')}. ${known}`)
  const scenario = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined
  if (scenario === undefined) throw new UsageError(`There is no scenario ${name}. ${known}`)
  const isSmoke = values.smoke === true
  const durability = durabilities.find((one) => one === (values.durability ?? 'process'))
  if (durability === undefined) {
    throw new UsageError(`--durability is ${values.durability}. Allowed: ${durabilities.join(', ')}.`)
  }
  const pairs = values.pairs === undefined ? (isSmoke ? 1 : scenario.pairs) : Number(values.pairs)
  if (!Number.isInteger(pairs) || pairs < 1 || pairs > 1_000) {
    throw new UsageError(`--pairs is ${values.pairs}. Allowed: a whole number from 1 to 1,000.`)
  }
  return { name, scenario, isJson: values.json === true, isSmoke, pairs, durability }
}

function parse(commandLine: readonly string[]) {
  try {
    return parseArgs({
      args: [...commandLine],
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        smoke: { type: 'boolean' },
        pairs: { type: 'string' },
        durability: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

async function run({ name, scenario, isJson, isSmoke, pairs, durability }: Order): Promise<void> {
  const scratch = new Scratch()
  // The processes of the trials get the signal as well, and end by it.
  const interrupted = () => {
    scratch.remove()
    process.exit(130)
  }
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  try {
    const environment = describeEnvironment(durability, scratch.newFolder())
    const { series, parameters } = await scenario.run({
      isSmoke,
      pairs,
      durability,
      newFolder: () => scratch.newFolder(),
      dropFolder: (folder) => scratch.dropFolder(folder),
      tell: (line) => {
        if (!isJson) console.error(line)
      },
    })
    const figures = Object.fromEntries(Object.entries(series).map(([figure, one]) => [figure, toFigure(one)]))
    const facts = {
      ...environment,
      parameters: { smoke: isSmoke, pairs, ...parameters },
      spread: spreadOf(series),
    }
    const bars = Object.fromEntries(Object.entries(series).map(([figure, { bar }]) => [figure, bar]))
    if (isJson) console.log(JSON.stringify({ scenario: name, figures, environment: { ...facts, bars } }))
    else printText(name, series, facts)
  } finally {
    process.off('SIGINT', interrupted)
    process.off('SIGTERM', interrupted)
    scratch.remove()
  }
}

const [first, ...words] = process.argv.slice(2)
if (first === 'peers') {
  const { runPeersCommand } = await import('./peers/harness/command.ts')
  process.exit(await runPeersCommand(words))
}
try {
  const order = readOrder(process.argv.slice(2))
  if (order === 'help') console.log(helpText())
  else await run(order)
} catch (error) {
  const isUsage = error instanceof UsageError
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
  if (isUsage) console.error('Run with --help for usage.')
  process.exitCode = isUsage ? 2 : 1
}
