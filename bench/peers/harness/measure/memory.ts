import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { produce } from '../produce.ts'
import { noOp } from './no-op.ts'
import { checkCount, type Measure } from './order.ts'

/** How long everything may come to rest before it is weighed. */
const settleMs = 500

export const measureMemory: Measure = async (contender, { isSmoke, serverPid }) => {
  const jobs = isSmoke ? 2_000 : 100_000
  await produce(contender, contender.bulk, jobs, noOp)
  await sleep(settleMs)
  collectGarbage()
  const hostBytes = process.memoryUsage.rss()
  const serverBytes = serverPid === undefined ? 0 : serverMemory(serverPid)
  checkCount(await contender.close(), { open: jobs, completed: 0 })
  return { host_mb: hostBytes / 1e6, server_mb: serverBytes / 1e6 }
}

/** What the producer has thrown away is not what is asked for. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  // A context made now has the function, whose type is known by the flag.
  const collect = runInNewContext('gc') as () => void
  collect()
}

/** Of the process and its children; what they share (PostgreSQL's buffers) is counted once. */
function serverMemory(pid: number): number {
  return familyOf(pid).reduce((sum, member) => sum + proportionalBytes(member), 0)
}

function familyOf(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => parentOf(name) === pid)
    .map(Number)
  return [pid, ...children.flatMap(familyOf)]
}

function parentOf(pid: string): number | undefined {
  try {
    // The name, in brackets, may hold anything; the parent is the second word after it.
    const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?!.*\) )/)
    return Number(rest.split(' ')[1])
  } catch {
    // It has ended since.
    return undefined
  }
}

function proportionalBytes(pid: number): number {
  const [, kilobytes] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? []
  return Number(kilobytes ?? 0) * 1_024
}
