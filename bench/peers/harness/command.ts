/** The command `bench peers`: from its words to what it prints. */
import { describeEnvironment } from '../../environment.ts'
import { Scratch } from '../../scratch.ts'
import type { PeersFindings } from './findings.ts'
import { readVersions } from './installed.ts'
import { type PeersOrder, PeersUsageError, peersHelp, readPeersOrder } from './order.ts'
import { printFindings } from './print.ts'
import type { Server } from './programs.ts'
import { runRounds } from './run-rounds.ts'
import { killTrials } from './run-trial.ts'
import { prepareServers } from './servers.ts'

/** Gives the exit code. */
export async function runPeersCommand(commandLine: readonly string[]): Promise<number> {
  try {
    const order = readPeersOrder(commandLine)
    if (order === 'help') {
      console.log(peersHelp)
      return 0
    }
    const findings = await findPeers(order, (line) => console.error(line))
    if (order.isJson) console.log(JSON.stringify(findings))
    else printFindings(findings)
    return findings.failures.length === 0 ? 0 : 1
  } catch (error) {
    const isUsage = error instanceof PeersUsageError
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
    if (isUsage) console.error('Run with --help for usage.')
    return isUsage ? 2 : 1
  }
}

/** Runs what was ordered, and leaves nothing behind, also when it is interrupted. */
export async function findPeers(order: PeersOrder, say: (line: string) => void): Promise<PeersFindings> {
  const versions = readVersions(order.contenders)
  const scratch = new Scratch()
  let server: Server | undefined
  let isInterrupted = false
  const interrupted = async (): Promise<void> => {
    isInterrupted = true
    killTrials()
    await server?.stop()
    scratch.remove()
    process.exit(130)
  }
  const onSignal = () => void interrupted()
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  try {
    const servers = prepareServers(order.contenders, () => scratch.newFolder())
    for (const line of servers.leftOut) say(line)
    if (servers.names.length === 0) throw new Error('No contender is left to run.')
    const { jobMs, ...results } = await runRounds({
      ...order,
      servers,
      versions,
      newFolder: () => scratch.newFolder(),
      dropFolder: (folder) => scratch.dropFolder(folder),
      tell: (line) => {
        // What is killed for an interruption has not failed.
        if (!order.isJson && !isInterrupted) say(line)
      },
      track: (one) => {
        server = one
      },
    })
    const { durability: _, ...environment } = describeEnvironment('process', scratch.newFolder())
    const parameters = { smoke: order.isSmoke, rounds: order.rounds, hash_job_ms: jobMs }
    const hosts = Object.fromEntries(Array.from(servers.hosts, ([name, { version }]) => [name, version]))
    return {
      ...results,
      leftOut: servers.leftOut,
      versions: { ...versions, ...hosts },
      environment: { ...environment, parameters },
    }
  } finally {
    // The interruption cleans up by itself, and ends the process.
    if (isInterrupted) await new Promise(() => {})
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
    await server?.stop()
    scratch.remove()
  }
}
