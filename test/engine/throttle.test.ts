import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { expect, test } from 'vitest'
import type { LoadMeasure } from '../../src/config.ts'
import type { EngineEventMap } from '../../src/telemetry/events.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines({ threads: 2 })

/** A machine whose load the test sets, and which tells when it is asked. */
class Machine {
  load: LoadMeasure = {}
  readonly #waiting: { left: number; resolve(): void }[] = []

  readonly measure = (): LoadMeasure => {
    for (const one of this.#waiting) if (--one.left === 0) one.resolve()
    return this.load
  }

  /** Resolves when it has been asked so many more times. */
  measured(times: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ left: times, resolve })
    })
  }

  options(rest: { belowPriority?: number } = {}) {
    return { measure: this.measure, everyMs: 10, ...rest }
  }
}

type Opened = Awaited<ReturnType<typeof engines.open>>

function nextEvent<Name extends keyof EngineEventMap>(engine: Opened, name: Name) {
  return new Promise<EngineEventMap[Name]>((resolve) => engine.events.once(name, resolve))
}

/** An engine that holds jobs already, and a running job that keeps it measuring. */
async function openHeld(machine: Machine, load: LoadMeasure, rest: { belowPriority?: number } = {}) {
  const { stage } = engines
  const engine = await engines.open({ throttle: machine.options(rest) })
  const keeper = await engine.enqueue('GATE', { gate: 'keeper' }, { priority: 100 })
  await stage.waits('keeper')
  machine.load = load
  const event = await nextEvent(engine, 'throttled')
  return { engine, event, keeper, stage }
}

test('while other things take the CPU, jobs of low priority wait and all others go on', async () => {
  const machine = new Machine()
  const { engine, event } = await openHeld(machine, { cpuPercent: 95.5, memoryPercent: 20 })
  expect(event).toEqual({ reason: 'cpu', foundPercent: 95.5, limitPercent: 90, belowPriority: 0 })
  const low = await engine.enqueue('OK', 'low', { priority: -1 })
  const [lower, normal, plain] = await engine.enqueueMany([
    { type: 'OK', payload: 'lower', options: { priority: -100 } },
    { type: 'OK', payload: 'normal', options: { priority: 0 } },
    { type: 'OK', payload: 'plain' },
  ])
  expect(await normal?.result()).toBe('normal')
  expect(await plain?.result()).toBe('plain')
  expect(await (await engine.enqueue('OK', 'later')).result()).toBe('later')
  for (const job of [low, lower]) expect((await engine.get(job?.id ?? ''))?.state).toBe('QUEUED')
  const { throttled } = await engine.stats()
  expect(throttled).toMatchObject({ reason: 'cpu', foundPercent: 95.5, limitPercent: 90, belowPriority: 0 })
  expect(throttled?.since).toBeInstanceOf(Date)

  const resumed = nextEvent(engine, 'resumed')
  machine.load = { cpuPercent: 70, memoryPercent: 20 }
  expect(await resumed).toMatchObject({ reason: 'cpu' })
  expect(await low.result()).toBe('low')
  expect(await lower?.result()).toBe('lower')
  expect((await engine.stats()).throttled).toBeUndefined()
})

test('memory that is short holds jobs too, and the reason is the one that came first', async () => {
  const machine = new Machine()
  const { engine, event } = await openHeld(machine, { memoryPercent: 97 })
  expect(event).toMatchObject({ reason: 'memory', foundPercent: 97, limitPercent: 95 })
  machine.load = { cpuPercent: 95, memoryPercent: 97 }
  await machine.measured(5)
  expect((await engine.stats()).throttled).toMatchObject({ reason: 'memory' })
  const since = (await engine.stats()).throttled?.since
  const next = nextEvent(engine, 'throttled')
  machine.load = { cpuPercent: 95, memoryPercent: 50 }
  expect(await next).toMatchObject({ reason: 'cpu' })
  // They have been held all the time.
  expect((await engine.stats()).throttled).toMatchObject({ reason: 'cpu', since })
})

test('a peak of one measure holds nothing', async () => {
  const { stage } = engines
  const machine = new Machine()
  const engine = await engines.open({ throttle: machine.options() })
  let throttled = 0
  engine.events.on('throttled', () => throttled++)
  await engine.enqueue('GATE', { gate: 'keeper' })
  await stage.waits('keeper')
  for (let peak = 0; peak < 3; peak++) {
    const peaked = machine.measured(1)
    machine.load = { cpuPercent: 100 }
    await peaked
    machine.load = { cpuPercent: 85 }
    await machine.measured(1)
  }
  expect(await (await engine.enqueue('OK', 'low', { priority: -5 })).result()).toBe('low')
  expect(throttled).toBe(0)
})

test('an engine that holds all its work rests, and is not idle', async () => {
  const machine = new Machine()
  const { engine, stage, keeper } = await openHeld(machine, { cpuPercent: 100 })
  const held = await engine.enqueue('OK', 'held', { priority: -1 })
  stage.open('keeper')
  await keeper.result()
  let isIdle = false
  const idle = engine.idle().then(() => {
    isIdle = true
  })
  const { commits } = await engine.stats()
  await machine.measured(10)
  const later = await engine.stats()
  expect(later.commits - commits).toBeLessThanOrEqual(2)
  expect(later.jobs).toMatchObject({ QUEUED: 1, RUNNING: 0 })
  expect(isIdle).toBe(false)
  machine.load = {}
  await idle
  expect(await held.result()).toBe('held')
})

test('an engine with nothing to do measures nothing', async () => {
  const machine = new Machine()
  const engine = await engines.open({ throttle: machine.options() })
  let asked = 0
  const measure = machine.measured(1)
  await engine.enqueue('GATE', { gate: 'keeper' })
  await measure
  const count = () => {
    asked++
    void machine.measured(1).then(count)
  }
  engines.stage.open('keeper')
  await engine.idle()
  void machine.measured(1).then(count)
  for (let request = 0; request < 300; request++) await engine.stats()
  // One may have been on its way.
  expect(asked).toBeLessThanOrEqual(1)
})

test('the bound is an option: jobs without a priority can be held as well', async () => {
  const machine = new Machine()
  const { engine } = await openHeld(machine, { cpuPercent: 95 }, { belowPriority: 10 })
  const plain = await Promise.all([1, 2, 3].map((n) => engine.enqueue('OK', n)))
  const high = await engine.enqueue('OK', 'high', { priority: 10 })
  expect(await high.result()).toBe('high')
  expect((await engine.stats()).jobs.QUEUED).toBe(3)
  machine.load = { cpuPercent: 0 }
  expect(await Promise.all(plain.map((job) => job.result()))).toEqual([1, 2, 3])
})

test('held jobs can be cancelled and superseded, and what takes their place begins', async () => {
  const machine = new Machine()
  const { engine } = await openHeld(machine, { cpuPercent: 95 })
  const held = await engine.enqueueMany(
    [1, 2, 3].map((n) => ({
      type: 'OK' as const,
      payload: n,
      options: { priority: -1, subjectKey: `subject ${n}` },
    })),
  )
  const [first, second] = held
  const cancelled = engine.cancel(first?.id ?? '')
  const newer = engine.enqueue('OK', 'newer', { subjectKey: 'subject 2' })
  expect(await cancelled).toBe('cancelled')
  expect(await (await newer).result()).toBe('newer')
  expect((await engine.get(second?.id ?? ''))?.state).toBe('SUPERSEDED')
  expect(await (await engine.enqueue('OK', 'plain')).result()).toBe('plain')
  expect((await engine.stats()).jobs.QUEUED).toBe(1)
})

test('what is put back while jobs are held waits with them, and runs after a new start', async () => {
  const machine = new Machine()
  const { stage } = engines
  const engine = await engines.open({ throttle: machine.options() })
  const low = await engine.enqueue(
    'DEAF',
    { gate: 'low', ending: 'throw' },
    { priority: -1, retry: { maxAttempts: 2, backoffMs: 1 } },
  )
  await stage.waits('low')
  machine.load = { cpuPercent: 95 }
  await nextEvent(engine, 'throttled')
  const retried = nextEvent(engine, 'job-retried')
  stage.open('low')
  await retried
  // The time of this one comes later.
  const timer = await engine.enqueue('FLAKY', { times: 1 }, { retry: { backoffMs: 50, jitter: 0 } })
  await timer.result()
  expect(await engine.get(low.id)).toMatchObject({ state: 'QUEUED', attempt: 1 })
  await engine.stop()
  const next = await engines.open()
  await next.idle()
  expect(await next.get(low.id)).toMatchObject({ state: 'FAILED', attempt: 2 })
})

test('a suspect runs although its priority is low: others may have to wait for it', async () => {
  const machine = new Machine()
  const { stage } = engines
  const engine = await engines.open({ throttle: machine.options() })
  await engine.enqueue('GATE', { gate: 'keeper' })
  await stage.waits('keeper')
  const low = await engine.enqueue('DEAF', { gate: 'low', ending: 'exit' }, { priority: -1 })
  await stage.waits('low')
  const throttled = nextEvent(engine, 'throttled')
  machine.load = { cpuPercent: 95 }
  await throttled
  stage.open('low')
  // Twice alone: it is found out, and not held back before.
  await rejectionOf(low.result(), 'JOB_FAILED')
  expect((await engine.stats()).throttled).toBeDefined()
  expect(stage.attemptsOf(low.id)).toEqual([1, 2])
})

test('load of other processes is found', async () => {
  const { stage } = engines
  const hogs = cpus().map(() => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }))
  try {
    const engine = await engines.open({ throttle: { cpuPercent: 20, memoryPercent: 100, everyMs: 100 } })
    await engine.enqueue('GATE', { gate: 'keeper' })
    await stage.waits('keeper')
    const event = await nextEvent(engine, 'throttled')
    expect(event).toMatchObject({ reason: 'cpu', limitPercent: 20 })
    expect(event.foundPercent).toBeGreaterThan(20)
  } finally {
    for (const hog of hogs) hog.kill('SIGKILL')
    await Promise.all(hogs.map((hog) => (hog.exitCode ?? hog.signalCode) === null && once(hog, 'exit')))
  }
})

test('whatever the load does, every job ends', async () => {
  const machine = new Machine()
  const { stage } = engines
  const engine = await engines.open({ throttle: machine.options() })
  let changes = 0
  engine.events.on('throttled', () => changes++)
  const keeper = await engine.enqueue('GATE', { gate: 'keeper' }, { priority: 100 })
  await stage.waits('keeper')
  const ids: string[] = []
  for (let round = 0; round < 40; round++) {
    machine.load = { cpuPercent: round % 10 < 5 ? 100 : 0 }
    const jobs = await engine.enqueueMany(
      Array.from({ length: 20 }, (_, n) => ({
        type: 'TINY' as const,
        payload: { ms: n % 7 === 0 ? 1 : 0 },
        ...(n % 4 === 3 ? {} : { options: { priority: (n % 7) - 3 } }),
      })),
    )
    ids.push(...jobs.map(({ id }) => id))
    if (round % 3 === 0) await engine.cancel([ids[round] ?? '', ids.at(-1) ?? ''])
    await machine.measured(1)
  }
  expect(changes).toBeGreaterThan(0)
  machine.load = {}
  stage.open('keeper')
  await engine.idle()
  expect((await keeper.result()) as object).toEqual({})
  const { jobs } = await engine.stats()
  expect(jobs.DONE + jobs.CANCELLED).toBe(801)
})

test('a measure that fails, or tells nonsense, or never answers, holds nothing', async () => {
  const warnings: string[] = []
  const onWarning = (warning: Error & { code?: string }) => {
    if (warning.code === 'SEMANTICA_MEASURE_FAILED') warnings.push(warning.message)
  }
  process.on('warning', onWarning)
  try {
    const bad: (() => unknown)[] = [
      () => {
        throw new Error('no battery')
      },
      () => ({ cpuPercent: '99' }),
      () => 99,
      () => new Promise(() => {}),
    ]
    for (const [index, measure] of bad.entries()) {
      const machine = new Machine()
      machine.load = { cpuPercent: 100 }
      let isBad = false
      const { stage } = engines
      const engine = await engines.open({
        database: engines.pathOf(`bad${index}.db`),
        throttle: {
          everyMs: 10,
          // @ts-expect-error not what a measure may return
          measure: () => (isBad ? measure() : machine.measure()),
        },
      })
      await engine.enqueue('GATE', { gate: `keeper ${index}` })
      await stage.waits(`keeper ${index}`)
      await nextEvent(engine, 'throttled')
      const held = await engine.enqueue('OK', 'held', { priority: -1 })
      isBad = true
      expect(await held.result()).toBe('held')
      await engine.stop()
    }
    expect(warnings).toEqual([
      'throttle.measure failed: no battery',
      expect.stringContaining('cpuPercent in what throttle.measure returned'),
      expect.stringContaining('what throttle.measure returned'),
    ])
  } finally {
    process.off('warning', onWarning)
  }
})
