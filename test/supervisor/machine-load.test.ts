import { cpus } from 'node:os'
import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { systemClock } from '../../src/clock.ts'
import { LinuxMachine } from '../../src/supervisor/linux-machine.ts'
import { type CpuReading, MachineLoad, machineAsWhole } from '../../src/supervisor/machine-load.ts'

/** A Linux machine of texts, of which time passes by hand. */
class Rig {
  readonly files: Record<string, string>
  #nowMs = 1_000
  ownMs = 0
  readonly load: MachineLoad

  constructor(files: Record<string, string>) {
    this.files = files
    const clock: Clock = { ...systemClock, monotonicMs: () => this.#nowMs }
    this.load = new MachineLoad(clock, new LinuxMachine((path) => this.files[path]), () => this.ownMs)
  }

  /** The load of a second in which this process used so much, and files came to be these. */
  second(ownMs: number, files: Record<string, string> = {}) {
    this.#nowMs += 1_000
    this.ownMs += ownMs
    Object.assign(this.files, files)
    return this.load.read()
  }
}

/** Seconds that each core was used, of which the last is steal. */
function stat(...cores: readonly number[]): string {
  const lines = cores.map((seconds, core) => {
    const ticks = Math.round(seconds * 20)
    return `cpu${core} ${ticks} ${ticks} ${ticks} 5000 700 0 ${ticks} ${ticks} 99 99`
  })
  return ['cpu  1 2 3 4 5 6 7 8 9 10', ...lines, 'intr 1 2 3', 'ctxt 5'].join('\n')
}

const meminfo = 'MemTotal:       1000 kB\nMemFree:  10 kB\nMemAvailable:    250 kB\n'

test('of the machine: what others used of the cores, and what is not available of the memory', () => {
  const rig = new Rig({ '/proc/stat': stat(5, 5), '/proc/meminfo': meminfo })
  expect(rig.load.read()).toEqual({ cpuPercent: undefined, memoryPercent: 75 })
  // 1.5 core seconds in a second of two cores, of which half a second was ours.
  const { cpuPercent } = rig.second(500, { '/proc/stat': stat(6, 5.5) })
  expect(cpuPercent).toBeCloseTo(50)
  // All of it was ours.
  expect(rig.second(2_000, { '/proc/stat': stat(7, 6.5) }).cpuPercent).toBe(0)
  expect(rig.second(0, { '/proc/stat': stat(8, 7.5) }).cpuPercent).toBeCloseTo(100)
  rig.load.forget()
  expect(rig.second(0).cpuPercent).toBeUndefined()
})

test('what children used counts as ours once they have ended', () => {
  const process = (ticks: number) => `7 (a) (b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 ${ticks} ${ticks} 20 0`
  const rig = new Rig({ '/proc/stat': stat(0, 0), '/proc/self/stat': process(500) })
  rig.load.read()
  const running = rig.second(0, { '/proc/stat': stat(1, 0) })
  expect(running.cpuPercent).toBeCloseTo(50)
  const ended = rig.second(0, { '/proc/stat': stat(2, 1), '/proc/self/stat': process(550) })
  expect(ended.cpuPercent).toBeCloseTo(50)
})

test('only the cores count that this process may use', () => {
  const rig = new Rig({
    '/proc/stat': stat(0, 0, 0, 0),
    '/proc/self/status': 'Name:\tnode\nCpus_allowed:\ta\nCpus_allowed_list:\t1,3\nMems_allowed_list:\t0\n',
  })
  rig.load.read()
  expect(rig.second(0, { '/proc/stat': stat(1, 1, 1, 0) }).cpuPercent).toBeCloseTo(50)
})

const nested = {
  '/proc/self/cgroup': '0::/outer/inner\n',
  '/proc/stat': stat(0, 0, 0, 0),
  '/proc/meminfo': 'MemTotal: 8000000 kB\nMemAvailable: 7000000 kB\n',
}

test('of a group with a quota: what its other members used of it, and what the machine leaves', () => {
  const outer = '/sys/fs/cgroup/outer'
  const rig = new Rig({
    ...nested,
    [`${outer}/inner/cpu.max`]: 'max 100000\n',
    [`${outer}/cpu.max`]: '200000 100000\n',
    [`${outer}/cpu.stat`]: 'usage_usec 1000000\nuser_usec 7\n',
  })
  rig.load.read()
  // 1.5 seconds in the group, half a second of them ours: half of its two cores.
  const busy = rig.second(500, {
    '/proc/stat': stat(0.5, 0.5, 0.5, 0),
    [`${outer}/cpu.stat`]: 'usage_usec 2500000\n',
  })
  expect(busy.cpuPercent).toBeCloseTo(50)
  // Nobody else is in the group, but the rest of the machine leaves half a core of the two.
  const outside = rig.second(500, {
    '/proc/stat': stat(1.5, 1.5, 1.5, 1),
    [`${outer}/cpu.stat`]: 'usage_usec 3000000\n',
  })
  expect(outside.cpuPercent).toBeCloseTo(75)
})

test('of groups with a memory limit the one counts that is fullest, without the pages of files', () => {
  const outer = '/sys/fs/cgroup/outer'
  const rig = new Rig({
    ...nested,
    [`${outer}/inner/memory.max`]: '1000000000\n',
    [`${outer}/inner/memory.high`]: '800000000\n',
    [`${outer}/inner/memory.current`]: '900000000\n',
    [`${outer}/inner/memory.stat`]: 'anon 5\nfile 6\nactive_file 100000000\ninactive_file 200000000\n',
    [`${outer}/memory.max`]: 'max\n',
    [`${outer}/memory.current`]: '7000000000\n',
  })
  expect(rig.load.read().memoryPercent).toBeCloseTo(75)
  rig.files[`${outer}/inner/memory.current`] = '1100000000\n'
  expect(rig.load.read().memoryPercent).toBe(100)
})

test('the first version of control groups is understood, also where a container shows only their root', () => {
  const rig = new Rig({
    ...nested,
    '/proc/self/cgroup': '9:name=systemd:/\n4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '1000000000\n',
    '/sys/fs/cgroup/memory/memory.usage_in_bytes': '700000000\n',
    '/sys/fs/cgroup/memory/memory.stat': 'total_active_file 50000000\ntotal_inactive_file 50000000\n',
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000\n',
    '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    '/sys/fs/cgroup/cpuacct/cpuacct.usage': '1000000000\n',
  })
  expect(rig.load.read().memoryPercent).toBeCloseTo(60)
  const busy = rig.second(100, { '/sys/fs/cgroup/cpuacct/cpuacct.usage': '1350000000\n' })
  expect(busy.cpuPercent).toBeCloseTo(50)
})

test('groups of the first version without limits bound nothing', () => {
  const rig = new Rig({
    ...nested,
    '/proc/self/cgroup': '4:memory:/\n3:cpu,cpuacct:/\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    '/sys/fs/cgroup/memory/memory.usage_in_bytes': '7990000000\n',
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
    '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    '/sys/fs/cgroup/cpuacct/cpuacct.usage': '0\n',
  })
  expect(rig.load.read().memoryPercent).toBeCloseTo(12.5)
  expect(rig.second(0, { '/proc/stat': stat(1, 0, 0, 0) }).cpuPercent).toBeCloseTo(25)
})

test('limits that change are noticed, and one that comes is measured from then on', () => {
  const group = '/sys/fs/cgroup/outer'
  const rig = new Rig({
    ...nested,
    [`${group}/cpu.stat`]: 'usage_usec 0\n',
    [`${group}/cpu.max`]: 'max 100000\n',
  })
  rig.load.read()
  rig.files[`${group}/cpu.max`] = '100000 100000\n'
  let usedUs = 0
  let cpuPercent: number | undefined = 0
  for (let second = 0; second < 70 && cpuPercent !== 100; second++) {
    usedUs += 1_000_000
    const machine = stat(second + 1, 0, 0, 0)
    cpuPercent = rig.second(0, {
      '/proc/stat': machine,
      [`${group}/cpu.stat`]: `usage_usec ${usedUs}\n`,
    }).cpuPercent
    expect([25, 100]).toContainEqual(Math.round(cpuPercent ?? -1))
  }
  expect(cpuPercent).toBe(100)
})

test('where nothing is told, or nonsense, nothing is known', () => {
  expect(new Rig({}).load.read()).toEqual({ cpuPercent: undefined, memoryPercent: undefined })
  const rig = new Rig({
    '/proc/stat': 'cpu  one two\n',
    '/proc/meminfo': 'MemTotal: many kB\n',
    '/proc/self/cgroup': 'nonsense\n0::/a\n::\n',
    '/proc/self/status': 'Cpus_allowed_list:\t-\n',
    '/sys/fs/cgroup/a/cpu.max': '',
    '/sys/fs/cgroup/a/memory.max': '-',
  })
  rig.load.read()
  expect(rig.second(0)).toEqual({ cpuPercent: undefined, memoryPercent: undefined })
})

test('this machine tells something', () => {
  const load = new MachineLoad(systemClock)
  const { memoryPercent } = load.read()
  expect(memoryPercent).toBeGreaterThan(0)
  expect(memoryPercent).toBeLessThan(100)
})

test('without /proc the cores are those of the machine, and time passes on them', () => {
  const machine = machineAsWhole('darwin')
  const [before] = machine.cpu()
  const startMs = performance.now()
  // Ticks of the system are ten milliseconds.
  while (performance.now() - startMs < 100);
  const [after] = machine.cpu()
  const usedMs = ({ usedMs }: CpuReading) => usedMs
  expect(after && before && usedMs(after) - usedMs(before)).toBeGreaterThan(0)
  expect(after?.cores).toBe(cpus().length)
  const load = new MachineLoad(systemClock, machine)
  expect(load.read().cpuPercent).toBeUndefined()
})

test('free memory is believed only where it is what can be had', () => {
  expect(machineAsWhole('darwin').memory()).toEqual([])
  expect(new MachineLoad(systemClock, machineAsWhole('darwin')).read().memoryPercent).toBeUndefined()
  const { memoryPercent } = new MachineLoad(systemClock, machineAsWhole('win32')).read()
  expect(memoryPercent).toBeGreaterThan(0)
  expect(memoryPercent).toBeLessThan(100)
})
