/** The rounds: in each, every work is given to all contenders in turn, so that all of them see the same weather. */
import { availableParallelism } from 'node:os'
import { systemClock } from '../../../src/clock.ts'
import { calibrateRounds, hashFor } from '../../hash.ts'
import { median, round as roundNumber } from '../../scenario.ts'
import type { Failure, Row } from './findings.ts'
import type { HashJob, Measured } from './measure/order.ts'
import type { Server } from './programs.ts'
import { type ContenderName, factsOf } from './registry.ts'
import { runPeerTrial } from './run-trial.ts'
import type { ServerHosts } from './servers.ts'
import { type WorkName, works } from './works.ts'

const jobMs = 2
const probes = 100

export interface RoundsSettings {
  readonly works: readonly WorkName[]
  readonly servers: ServerHosts
  readonly versions: Readonly<Record<string, string>>
  readonly rounds: number
  readonly isSmoke: boolean
  newFolder(): string
  dropFolder(folder: string): void
  tell(line: string): void
  /** Told of each server that runs, so that it can be stopped when all else fails. */
  track(server: Server): void
}

export interface RoundsResult {
  readonly works: Partial<Record<WorkName, readonly Row[]>>
  readonly failures: readonly Failure[]
  readonly jobMs: readonly number[]
}

export async function runRounds(settings: RoundsSettings): Promise<RoundsResult> {
  const { rounds, servers, tell } = settings
  const found = new Map<string, Measured[]>()
  const failures: Failure[] = []
  const jobTimes: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const hash = calibrate()
    jobTimes.push(roundNumber(hash.jobMs))
    for (const work of settings.works) {
      if (round > works[work].maxRounds) continue
      for (const contender of servers.names) {
        if (!factsOf(contender).works.includes(work)) continue
        const measured = await runOne(settings, contender, work, hash)
        const line = `round ${round} of ${rounds}, ${work}, ${contender}`
        if (typeof measured === 'string') {
          failures.push({ contender, work, round, reason: measured })
          tell(`${line}: FAILED: ${measured}`)
        } else {
          const key = `${work} ${contender}`
          found.set(key, [...(found.get(key) ?? []), measured])
          tell(`${line}: ${describe(work, measured)}`)
        }
      }
    }
  }
  return { works: toRows(settings, found), failures, jobMs: jobTimes }
}

/** The same hashing for all, and how long it takes on one thread when nothing else runs. */
function calibrate(): HashJob {
  const rounds = calibrateRounds(jobMs)
  const times = Array.from({ length: probes }, () => {
    const startMs = systemClock.monotonicMs()
    hashFor(rounds)
    return systemClock.monotonicMs() - startMs
  })
  return { rounds, digest: hashFor(rounds), jobMs: median(times) }
}

/** A text says how it failed. */
async function runOne(
  { servers, isSmoke, newFolder, dropFolder, track }: RoundsSettings,
  name: ContenderName,
  work: WorkName,
  hash: HashJob,
): Promise<Measured | string> {
  const { server: serverName } = factsOf(name)
  const folder = newFolder()
  const server = serverName === undefined ? undefined : await servers.hosts.get(serverName)?.start()
  if (server !== undefined) track(server)
  try {
    const cores = availableParallelism()
    const measureSettings = { isSmoke, cores, hash, serverPid: server?.pid }
    const report = await runPeerTrial({ name, work, folder, port: server?.port, settings: measureSettings })
    return report.kind === 'measured' ? report.measured : report.reason
  } finally {
    await server?.stop()
    dropFolder(folder)
  }
}

function describe(work: WorkName, measured: Measured): string {
  return works[work].metrics
    .map(({ key, title, unit }) => {
      const value = roundNumber(measured[key] ?? Number.NaN)
      return title === unit ? `${value} ${unit}` : `${title} ${value} ${unit}`
    })
    .join(', ')
}

function toRows(
  { servers, versions, works: names }: RoundsSettings,
  found: ReadonlyMap<string, readonly Measured[]>,
): Partial<Record<WorkName, readonly Row[]>> {
  const rowOf = (contender: ContenderName, work: WorkName): Row[] => {
    const { title, packageName, durability } = factsOf(contender)
    const measured = found.get(`${work} ${contender}`)
    if (measured === undefined) return []
    const values = Object.fromEntries(
      works[work].metrics.map(({ key }) => [key, measured.map((one) => one[key] ?? Number.NaN)]),
    )
    return [{ contender, title, version: versions[packageName] ?? 'unknown', durability, values }]
  }
  return Object.fromEntries(names.map((work) => [work, servers.names.flatMap((name) => rowOf(name, work))]))
}
