/**
 * What Linux tells of the machine: `/proc`, and the control groups that bound this process, in both of their versions.
 * A group may stand in others that have limits too, so all of them up to the root are looked at. What is not there
 * tells nothing: which files there are depends on the kernel and on the container.
 *
 * Which groups have limits, and which cores are allowed, hardly ever changes: that is looked up now and then only, so
 * that a reading opens three files on most machines.
 */
import type { CpuReading, MachineSource, MemoryReading } from './machine-load.ts'

/** The text of a file; undefined where it cannot be read. */
export type ReadText = (path: string) => string | undefined

/** Readings until the limits are looked up again. */
const readingsPerLook = 60

const groups = '/sys/fs/cgroup'
/** What `/proc/stat` counts in, whatever the kernel's own clock. */
const msPerTick = 10

/** The bounds of this process, found at the last look. */
interface Bounds {
  /** Undefined: every core. */
  readonly cores: ReadonlySet<number> | undefined
  readonly cpu: readonly CpuBound[]
  readonly memory: readonly MemoryBound[]
}

interface CpuBound {
  readonly name: string
  readonly cores: number
  usedMs(): number | undefined
}

interface MemoryBound {
  readonly totalBytes: number
  usedBytes(): number | undefined
}

export class LinuxMachine implements MachineSource {
  readonly #read: ReadText
  #bounds: Bounds | undefined
  #readingsLeft = 0

  constructor(read: ReadText) {
    this.#read = read
  }

  /** Nothing, where even the machine's own load is not told. */
  cpu(): CpuReading[] {
    if (this.#readingsLeft-- <= 0) this.#look()
    const machine = this.#machineCpu()
    if (machine === undefined) return []
    const bounded = this.#bounds?.cpu.flatMap(({ name, cores, usedMs }) => {
      const used = usedMs()
      return used === undefined ? [] : { name, cores, usedMs: used }
    })
    return [machine, ...(bounded ?? [])]
  }

  memory(): MemoryReading[] {
    const machine = this.#machineMemory()
    if (machine === undefined) return []
    const bounded = this.#bounds?.memory.flatMap(({ totalBytes, usedBytes }) => {
      const used = usedBytes()
      // The old version tells that there is no limit by a very high one.
      if (used === undefined || totalBytes >= machine.totalBytes) return []
      return { totalBytes, availableBytes: totalBytes - used }
    })
    return [machine, ...(bounded ?? [])]
  }

  endedChildrenMs(): number {
    // The name in brackets may hold anything, brackets too.
    const fields = this.#read('/proc/self/stat')?.split(') ').at(-1)?.split(' ').map(Number) ?? []
    const [user = 0, system = 0] = fields.slice(13, 15)
    return (user + system) * msPerTick
  }

  /** The load of the cores that this process may use. */
  #machineCpu(): CpuReading | undefined {
    const allowed = this.#bounds?.cores
    let cores = 0
    let ticks = 0
    for (const line of this.#read('/proc/stat')?.split('\n') ?? []) {
      const core = /^cpu(\d+) /.exec(line)?.[1]
      if (core === undefined || (allowed !== undefined && !allowed.has(Number(core)))) continue
      // What a guest machine takes is in user and nice already.
      const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = numbersOf(line)
      cores++
      ticks += user + nice + system + irq + softirq + steal
    }
    return cores === 0 ? undefined : { name: 'machine', cores, usedMs: ticks * msPerTick }
  }

  #machineMemory(): MemoryReading | undefined {
    const text = this.#read('/proc/meminfo')
    const totalKb = fieldOf(text, 'MemTotal:')
    const availableKb = fieldOf(text, 'MemAvailable:')
    if (totalKb === undefined || availableKb === undefined) return undefined
    return { totalBytes: totalKb * 1_024, availableBytes: availableKb * 1_024 }
  }

  #look(): void {
    this.#readingsLeft = readingsPerLook
    const cpu: CpuBound[] = []
    const memory: MemoryBound[] = []
    for (const line of this.#read('/proc/self/cgroup')?.split('\n') ?? []) {
      const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
      if (controllers === undefined || path === undefined) continue
      const names = controllers.split(',')
      for (const level of levelsOf(path)) {
        if (controllers === '') {
          cpu.push(...this.#cpuBound(groups + level))
          memory.push(...this.#memoryBound(groups + level))
        }
        if (names.includes('cpu')) cpu.push(...this.#oldCpuBound(level))
        if (names.includes('memory')) memory.push(...this.#oldMemoryBound(level))
      }
    }
    this.#bounds = { cores: coresOf(this.#read('/proc/self/status')), cpu, memory }
  }

  #cpuBound(folder: string): CpuBound[] {
    // The quota of an unbounded group is `max`, which is no number.
    const [quota, period] = this.#read(`${folder}/cpu.max`)?.trim().split(' ').map(Number) ?? []
    if (!isAmount(quota) || !isAmount(period)) return []
    const usedMs = () => {
      const usedUs = fieldOf(this.#read(`${folder}/cpu.stat`), 'usage_usec')
      return usedUs === undefined ? undefined : usedUs / 1_000
    }
    return [{ name: folder, cores: quota / period, usedMs }]
  }

  #oldCpuBound(level: string): CpuBound[] {
    const quota = this.#numberIn(`${groups}/cpu${level}/cpu.cfs_quota_us`)
    const period = this.#numberIn(`${groups}/cpu${level}/cpu.cfs_period_us`)
    if (!isAmount(quota) || !isAmount(period)) return []
    const usedMs = () => {
      const usedNs = this.#numberIn(`${groups}/cpuacct${level}/cpuacct.usage`)
      return usedNs === undefined ? undefined : usedNs / 1_000_000
    }
    return [{ name: `cpu${level}`, cores: quota / period, usedMs }]
  }

  #memoryBound(folder: string): MemoryBound[] {
    const limits = [
      this.#numberIn(`${folder}/memory.max`),
      // Over this nothing is killed, but everything in the group is slowed down.
      this.#numberIn(`${folder}/memory.high`),
    ].filter(isAmount)
    if (limits.length === 0) return []
    const usedBytes = () =>
      withoutCache(
        this.#numberIn(`${folder}/memory.current`),
        this.#read(`${folder}/memory.stat`),
        'active_file',
        'inactive_file',
      )
    return [{ totalBytes: Math.min(...limits), usedBytes }]
  }

  #oldMemoryBound(level: string): MemoryBound[] {
    const folder = `${groups}/memory${level}`
    const totalBytes = this.#numberIn(`${folder}/memory.limit_in_bytes`)
    if (!isAmount(totalBytes)) return []
    const usedBytes = () =>
      withoutCache(
        this.#numberIn(`${folder}/memory.usage_in_bytes`),
        this.#read(`${folder}/memory.stat`),
        'total_active_file',
        'total_inactive_file',
      )
    return [{ totalBytes, usedBytes }]
  }

  /** The number that is all a file holds. */
  #numberIn(path: string): number | undefined {
    const text = this.#read(path)?.trim()
    return text === undefined || !/^-?\d+$/.test(text) ? undefined : Number(text)
  }
}

/** The path of a group and of those around it, up to the root, which is empty. */
function levelsOf(path: string): string[] {
  const levels: string[] = []
  for (let level = path.replace(/\/+$/, ''); ; level = level.slice(0, level.lastIndexOf('/'))) {
    levels.push(level)
    if (!level.startsWith('/')) return levels
  }
}

function isAmount(number: number | undefined): number is number {
  return number !== undefined && number > 0
}

/** Pages of files are given up as soon as somebody needs them: MemAvailable does not count them as used either. */
function withoutCache(
  usedBytes: number | undefined,
  stat: string | undefined,
  ...cached: readonly string[]
): number | undefined {
  if (usedBytes === undefined) return undefined
  return cached.reduce((bytes, name) => Math.max(0, bytes - (fieldOf(stat, name) ?? 0)), usedBytes)
}

function numbersOf(line: string): number[] {
  return line.trim().split(/\s+/).slice(1).map(Number)
}

/** The number behind a name at the beginning of a line. */
function fieldOf(text: string | undefined, name: string): number | undefined {
  for (const line of text?.split('\n') ?? []) {
    if (!line.startsWith(name)) continue
    const [word, value] = line.split(/\s+/)
    if (word === name && value !== undefined && /^\d+$/.test(value)) return Number(value)
  }
  return undefined
}

/** The cores in a list such as `0-3,8`. */
function coresOf(status: string | undefined): ReadonlySet<number> | undefined {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status ?? '')?.[1]
  if (list === undefined) return undefined
  const cores = new Set<number>()
  for (const range of list.split(',')) {
    const [first = Number.NaN, last = first] = range.split('-').map(Number)
    for (let core = first; core <= last; core++) cores.add(core)
  }
  return cores
}
