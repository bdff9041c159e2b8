import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { AlertWatch } from '../../src/engine/alert-watch.ts'
import { Counters } from '../../src/store/counters.ts'
import { EngineEvents } from '../../src/telemetry/events.ts'
import type { EngineFacts } from '../../src/telemetry/facts.ts'

const calm: EngineFacts = {
  queues: {},
  entered: new Counters().entered,
  threads: { ready: 1, busy: 0 },
  claims: 0,
  mailbox: 0,
  commits: 0,
  fileBytes: 0,
  freeBytes: 0,
  walBytes: 0,
  isThrottled: false,
  failedMaintenanceRuns: 0,
  measured: undefined,
}

const settings = {
  diskPercent: 80,
  failurePercent: 20,
  failureWindowMs: 60_000,
  minimumJobs: 10,
  stalledAfterMs: 30_000,
  everyMs: 10_000,
}

/** A clock that the test moves, and a disk whose use it sets. */
class Rig {
  usedPercent = 10
  engine: () => Promise<EngineFacts> = async () => calm
  readonly told: string[] = []
  readonly holds: (string | undefined)[] = []
  readonly watch: AlertWatch
  #nowMs = 0
  #timer: { readonly atMs: number; fire(): void } | undefined

  constructor() {
    const events = new EngineEvents()
    events.on('alert', ({ kind }) => this.told.push(`${kind} at ${this.#nowMs}`))
    events.on('alert-resolved', ({ kind }) => this.told.push(`${kind} resolved at ${this.#nowMs}`))
    const clock: Clock = {
      wallMs: () => this.#nowMs,
      monotonicMs: () => this.#nowMs,
      startTimer: (delayMs, fire, hold) => {
        expect(this.#timer, 'one look at a time').toBeUndefined()
        this.holds.push(hold)
        const timer = { atMs: this.#nowMs + delayMs, fire }
        this.#timer = timer
        return {
          cancel: () => {
            if (this.#timer === timer) this.#timer = undefined
          },
        }
      },
    }
    this.watch = new AlertWatch({
      settings,
      clock,
      events,
      readEngine: () => this.engine(),
      readDisk: async () => ({ availableBytes: 1, usedPercent: this.usedPercent }),
    })
  }

  get isPlanned(): boolean {
    return this.#timer !== undefined
  }

  async pass(ms: number): Promise<void> {
    this.#nowMs += ms
    const timer = this.#timer
    if (timer === undefined || timer.atMs > this.#nowMs) return
    this.#timer = undefined
    timer.fire()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('it looks when its time has come, tells what has changed, and keeps no process alive', async () => {
  const rig = new Rig()
  rig.usedPercent = 90
  await rig.pass(9_999)
  expect(rig.told).toEqual([])
  await rig.pass(1)
  await rig.pass(10_000)
  expect(rig.watch.active.map(({ kind }) => kind)).toEqual(['disk-use'])
  rig.usedPercent = 50
  await rig.pass(10_000)
  expect(rig.told).toEqual(['disk-use at 10000', 'disk-use resolved at 30000'])
  expect(rig.watch.active).toEqual([])
  expect(new Set(rig.holds)).toEqual(new Set([undefined]))
})

test('a look that gets no answer is followed by the next one', async () => {
  const rig = new Rig()
  rig.usedPercent = 90
  rig.engine = () => Promise.reject(new Error('down'))
  await rig.pass(10_000)
  expect(rig.told).toEqual([])
  rig.engine = async () => calm
  await rig.pass(10_000)
  expect(rig.told).toEqual(['disk-use at 20000'])
})

test('while an answer is waited for there is no other look', async () => {
  const rig = new Rig()
  const answer = Promise.withResolvers<EngineFacts>()
  rig.engine = () => answer.promise
  await rig.pass(10_000)
  expect(rig.isPlanned).toBe(false)
  answer.resolve(calm)
  await new Promise((resolve) => setImmediate(resolve))
  expect(rig.isPlanned).toBe(true)
})

test('once stopped it tells nothing more, not even what it was about to', async () => {
  const rig = new Rig()
  rig.usedPercent = 90
  const answer = Promise.withResolvers<EngineFacts>()
  rig.engine = () => answer.promise
  await rig.pass(10_000)
  rig.watch.stop()
  answer.resolve(calm)
  await new Promise((resolve) => setImmediate(resolve))
  expect(rig.told).toEqual([])
  expect(rig.isPlanned).toBe(false)
})
