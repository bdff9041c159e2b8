/** Reads the command line of the peers. */
import { parseArgs } from 'node:util'
import { type ContenderName, contenderNames, factsOf } from './registry.ts'
import { type WorkName, workNames, works } from './works.ts'

export interface PeersOrder {
  readonly works: readonly WorkName[]
  readonly contenders: readonly ContenderName[]
  readonly rounds: number
  readonly isSmoke: boolean
  readonly isJson: boolean
}

/** Something that the user got wrong. */
export class PeersUsageError extends Error {}

const defaultRounds = 5

export const peersHelp = `Usage: npm run --silent bench -- peers [options]

The same works for the engine and other job queues of Node.js. Each trial has a process of its own, and a server of its
own where one is needed; contenders take turns, round by round; figures are medians over the rounds. Time to start is
not counted, and each trial checks its own results in the contender's store.

Works:
${workNames.map((name) => `  ${name.padEnd(14)} ${works[name].summary}`).join('\n')}

Contenders:
${contenderNames.map((name) => `  ${name.padEnd(20)} ${factsOf(name).title}; durability: ${factsOf(name).durability}`).join('\n')}

Options:
  --work W[,W]     only these works
  --peers P[,P]    only these contenders
  --rounds N       how often each is run, 1 to 1,000 (default: ${defaultRounds}; with --smoke 1)
  --smoke          small parameters: shows that it works, measures nothing
  --json           print one JSON object: {works, leftOut, failures, versions, environment}
  --help           print this
`

export function readPeersOrder(commandLine: readonly string[]): PeersOrder | 'help' {
  const values = parse(commandLine)
  if (values.help === true) return 'help'
  const isSmoke = values.smoke === true
  const rounds = values.rounds === undefined ? (isSmoke ? 1 : defaultRounds) : Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1_000) {
    throw new PeersUsageError(`--rounds is ${values.rounds}. Allowed: a whole number from 1 to 1,000.`)
  }
  const order = {
    works: readNames('--work', values.work, workNames),
    contenders: readNames('--peers', values.peers, contenderNames),
    rounds,
    isSmoke,
    isJson: values.json === true,
  }
  if (!order.contenders.some((name) => factsOf(name).works.some((work) => order.works.includes(work)))) {
    throw new PeersUsageError(`None of ${order.contenders.join(', ')} does ${order.works.join(', ')}.`)
  }
  return order
}

function readNames<Name extends string>(
  option: string,
  value: string | undefined,
  allowed: readonly Name[],
): readonly Name[] {
  if (value === undefined) return allowed
  const wanted = value.split(',').map((word) => word.trim())
  const unknown = wanted.find((word) => !allowed.some((name) => name === word))
  if (unknown !== undefined) {
    throw new PeersUsageError(`${option} names ${unknown || 'nothing'}. Allowed: ${allowed.join(', ')}.`)
  }
  return allowed.filter((name) => wanted.includes(name))
}

function parse(commandLine: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...commandLine],
      options: {
        work: { type: 'string' },
        peers: { type: 'string' },
        rounds: { type: 'string' },
        smoke: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    return values
  } catch (error) {
    throw new PeersUsageError(error instanceof Error ? error.message : String(error))
  }
}
