/**
 * How much of the CPU and of the memory that this process may use is taken.
 *
 * Of the CPU that is what others have used since the last reading: what everybody used, less what this process did, and
 * what children of it that have ended meanwhile. One that runs is told by nobody in time, and counts as another.
 * Whoever shares a limited group with it takes from the group's limit, whoever is outside takes from the machine; what
 * is left is the least that one of them leaves. Memory is asked of the same limits, this process's own included, since
 * more jobs would need more of it.
 */
import { readFileSync } from 'node:fs'
import { cpus, freemem, totalmem } from 'node:os'
import type { Clock } from '../clock.ts'
import type { LoadMeasure } from '../config.ts'
import { LinuxMachine } from './linux-machine.ts'

/** What all who share a limit have used of it since it exists. */
export interface CpuReading {
  readonly name: string
  /** The limit: so many cores at a time. */
  readonly cores: number
  readonly usedMs: number
}

export interface MemoryReading {
  readonly totalBytes: number
  readonly availableBytes: number
}

/** Each gives a reading for every limit; none where nothing is known. */
export interface MachineSource {
  cpu(): readonly CpuReading[]
  memory(): readonly MemoryReading[]
  /** CPU that children of this process have used, as far as they have ended. */
  endedChildrenMs(): number
}

interface Reading {
  readonly atMs: number
  readonly ownMs: number
  readonly limits: readonly CpuReading[]
}

export class MachineLoad {
  readonly #source: MachineSource
  readonly #clock: Clock
  readonly #ownCpuMs: () => number
  #last: Reading | undefined

  constructor(clock: Clock, source: MachineSource = thisMachine(), ownCpuMs: () => number = cpuMsOfProcess) {
    this.#source = source
    this.#clock = clock
    this.#ownCpuMs = ownCpuMs
  }

  /** Of the CPU nothing is told at the first time: its load is that of the time since the last. */
  read(): LoadMeasure {
    const reading = {
      atMs: this.#clock.monotonicMs(),
      ownMs: this.#ownCpuMs() + this.#source.endedChildrenMs(),
      limits: this.#source.cpu(),
    }
    const last = this.#last
    this.#last = reading
    const cpuPercent = last === undefined ? undefined : takenByOthers(last, reading)
    return { cpuPercent, memoryPercent: takenMemory(this.#source.memory()) }
  }

  /** The next reading is a first one again. */
  forget(): void {
    this.#last = undefined
  }
}

function takenByOthers(last: Reading, now: Reading): number | undefined {
  const elapsedMs = now.atMs - last.atMs
  if (now.limits.length === 0 || elapsedMs <= 0) return undefined
  const ownMs = now.ownMs - last.ownMs
  let allowed = Number.POSITIVE_INFINITY
  let left = Number.POSITIVE_INFINITY
  for (const { name, cores, usedMs } of now.limits) {
    const before = last.limits.find((limit) => limit.name === name)
    // Made since: it is compared from the next reading on.
    if (before === undefined) continue
    allowed = Math.min(allowed, cores)
    left = Math.min(left, cores - Math.max(0, usedMs - before.usedMs - ownMs) / elapsedMs)
  }
  return Number.isFinite(allowed) ? percentOf(allowed - left, allowed) : undefined
}

function takenMemory(limits: readonly MemoryReading[]): number | undefined {
  if (limits.length === 0) return undefined
  return Math.max(
    ...limits.map(({ totalBytes, availableBytes }) => percentOf(totalBytes - availableBytes, totalBytes)),
  )
}

function percentOf(taken: number, allowed: number): number {
  return Math.min(Math.max((taken / allowed) * 100, 0), 100)
}

function thisMachine(): MachineSource {
  return process.platform === 'linux' ? new LinuxMachine(readText) : machineAsWhole(process.platform)
}

/**
 * Where there is no `/proc`. What is free of the memory says something only where that is what can be had: elsewhere,
 * as on macOS, the pages of files that could be dropped are not among it, and every machine looks full.
 */
export function machineAsWhole(platform: NodeJS.Platform): MachineSource {
  return {
    cpu() {
      const cores = cpus()
      if (cores.length === 0) return []
      let usedMs = 0
      for (const { times } of cores) usedMs += times.user + times.nice + times.sys + times.irq
      return [{ name: 'machine', cores: cores.length, usedMs }]
    },
    memory: () => (platform === 'win32' ? [{ totalBytes: totalmem(), availableBytes: freemem() }] : []),
    endedChildrenMs: () => 0,
  }
}

function cpuMsOfProcess(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}
