import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ActorData } from '../../src/actor/messages.ts'
import {
  defaultRestartBudget,
  type RestartBudget,
  RestartHistory,
  SupervisedThread,
  stopInReverse,
} from '../../src/actor/supervision.ts'
import type { ActorThread, ThreadSpec } from '../../src/actor/thread.ts'
import type { Clock } from '../../src/clock.ts'
import type { CounterOptions } from '../fixtures/actors/counter.ts'

describe('the restart history', () => {
  test('waits 10 ms, then twice as long each time, and gives up when the budget is spent', () => {
    const history = new RestartHistory({ restarts: 10, withinMs: 60_000 })
    const delays = Array.from({ length: 11 }, () => history.next(1_000))
    expect(delays).toEqual([10, 20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000, 'give-up'])
  })

  test('forgets what is longer ago than its window', () => {
    const history = new RestartHistory({ restarts: 2, withinMs: 1_000 })
    expect([0, 500, 999].map((nowMs) => history.next(nowMs))).toEqual([10, 20, 'give-up'])
    expect([1_000, 1_499, 1_500].map((nowMs) => history.next(nowMs))).toEqual([20, 'give-up', 20])
  })

  test('never grants more restarts in any window than the budget', () => {
    const budgets = fc.record({ restarts: fc.nat(6), withinMs: fc.integer({ min: 1, max: 5_000 }) })
    fc.assert(
      fc.property(budgets, fc.array(fc.nat(2_000), { maxLength: 60 }), (budget, pausesMs) => {
        const history = new RestartHistory(budget)
        const granted: number[] = []
        let nowMs = 0
        for (const pauseMs of pausesMs) {
          nowMs += pauseMs
          const within = granted.filter((timeMs) => nowMs - timeMs < budget.withinMs).length
          const answer = history.next(nowMs)
          expect(answer === 'give-up').toBe(within >= budget.restarts)
          if (answer !== 'give-up') granted.push(nowMs)
        }
      }),
    )
  })
})

/** A clock whose timers fire when the test says so. */
class HandClock implements Clock {
  nowMs = 0
  readonly timers: { delayMs: number; fire: () => void; cancelled: boolean }[] = []
  #waiters: (() => void)[] = []

  wallMs(): number {
    return this.nowMs
  }

  monotonicMs(): number {
    return this.nowMs
  }

  startTimer(delayMs: number, fire: () => void) {
    const timer = { delayMs, fire, cancelled: false }
    this.timers.push(timer)
    for (const waiter of this.#waiters.splice(0)) waiter()
    const cancel = (): void => {
      timer.cancelled = true
    }
    return { cancel }
  }

  /** The timer with this number, from 1, once it was started. */
  async timer(count: number) {
    while (this.timers.length < count) await new Promise<void>((resolve) => this.#waiters.push(resolve))
    const timer = this.timers[count - 1]
    if (timer === undefined) throw new Error('no such timer')
    return timer
  }
}

function supervise(options: () => CounterOptions, budget: RestartBudget = defaultRestartBudget) {
  const clock = new HandClock()
  const started: ActorThread[] = []
  const died: { text: string; willRestart: boolean }[] = []
  let wake = Promise.withResolvers<void>()
  const changed = (): void => {
    wake.resolve()
    wake = Promise.withResolvers()
  }
  const spec = (): ThreadSpec => {
    const data: ActorData = {
      name: 'counter',
      moduleUrl: new URL('../fixtures/actors/counter.ts', import.meta.url).href,
      options: options(),
      mailboxCapacity: 100,
    }
    return { name: 'counter', entry: 'actor', data, readyTimeoutMs: 30_000 }
  }
  const thread = new SupervisedThread(spec, {
    budget,
    clock,
    onStarted: (up) => {
      started.push(up)
      changed()
    },
    onDied: (error, willRestart) => {
      died.push({ text: error.message, willRestart })
      changed()
    },
  })
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await wake.promise
  }
  return { thread, clock, started, died, until }
}

describe('a supervised thread', () => {
  test('is started again when it died, after the delay', async () => {
    const { thread, clock, started, died, until } = supervise(() => ({}))
    await thread.start()
    expect(thread.thread).toBe(started[0])
    await started[0]?.terminate()
    await until(() => died.length === 1)
    expect(died[0]).toEqual({ text: expect.stringContaining('was ended from outside'), willRestart: true })
    expect(thread.thread).toBeUndefined()
    expect(started.length).toBe(1)
    const timer = await clock.timer(1)
    expect(timer.delayMs).toBe(10)
    timer.fire()
    await until(() => started.length === 2)
    expect(thread.thread).toBe(started[1])
    await thread.stop(10_000)
    expect(thread.thread).toBeUndefined()
    expect(died.length).toBe(1)
  })

  test('stays down when the budget is spent', async () => {
    const { thread, clock, started, died, until } = supervise(() => ({}), { restarts: 1, withinMs: 60_000 })
    await thread.start()
    await started[0]?.terminate()
    ;(await clock.timer(1)).fire()
    await until(() => started.length === 2)
    await started[1]?.terminate()
    await until(() => died.length === 2)
    expect(died.map((death) => death.willRestart)).toEqual([true, false])
    expect(clock.timers.length).toBe(1)
    expect(thread.thread).toBeUndefined()
    await thread.stop(1_000)
  })

  test('is tried again, with a new budget, after the time that the budget names', async () => {
    const budget = { restarts: 1, withinMs: 60_000, againAfterMs: 60_000 }
    const { thread, clock, started, died, until } = supervise(() => ({}), budget)
    await thread.start()
    for (const [index, delayMs] of [10, 60_000, 10].entries()) {
      await started[index]?.terminate()
      const timer = await clock.timer(index + 1)
      expect(timer.delayMs).toBe(delayMs)
      timer.fire()
      await until(() => started.length === index + 2)
    }
    expect(died.map((death) => death.willRestart)).toEqual([true, false, true])
    await thread.stop(10_000)
  })

  test('a restart that fails counts against the budget', async () => {
    let options: CounterOptions = {}
    const { thread, clock, started, died, until } = supervise(() => options, {
      restarts: 2,
      withinMs: 60_000,
    })
    await thread.start()
    options = { atStart: 'throw' }
    await started[0]?.terminate()
    ;(await clock.timer(1)).fire()
    const second = await clock.timer(2)
    expect(second.delayMs).toBe(20)
    second.fire()
    await until(() => died.length === 3)
    expect(died.map((death) => death.willRestart)).toEqual([true, true, false])
    expect(died[2]?.text).toContain('no resource today')
    await thread.stop(1_000)
  })

  test('a first start that fails is not tried again', async () => {
    const { thread, clock, died } = supervise(() => ({ atStart: 'throw' }))
    await expect(thread.start()).rejects.toThrow('no resource today')
    expect([clock.timers.length, died.length]).toEqual([0, 0])
    await thread.stop(1_000)
  })

  test('a stop hook that throws is reported, and nothing is restarted', async () => {
    const { thread, clock, died } = supervise(() => ({ atStop: 'throw' }))
    await thread.start()
    await thread.stop(10_000)
    expect(died).toEqual([{ text: 'cannot close', willRestart: false }])
    expect(clock.timers.length).toBe(0)
  })
})

describe('stop of a supervised thread', () => {
  test('before the start: it is never started', async () => {
    const { thread, started } = supervise(() => ({}))
    await thread.stop(1_000)
    await expect(thread.start()).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
    expect(started.length).toBe(0)
  })

  test('during the first start: the start is refused and the thread stopped', async () => {
    const { thread, started } = supervise(() => ({}))
    const starting = thread.start()
    starting.catch(() => {})
    const stops = [thread.stop(30_000), thread.stop(0)]
    expect(stops[0]).toBe(stops[1])
    await Promise.all(stops)
    await expect(starting).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
    expect(started.length).toBe(0)
  })

  test('during a start that hangs: it is ended after the grace', async () => {
    const { thread } = supervise(() => ({ atStart: 'hang' }))
    const starting = thread.start()
    starting.catch(() => {})
    await thread.stop(100)
    await expect(starting).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
  })

  test('while a restart waits: it is cancelled', async () => {
    const { thread, clock, started } = supervise(() => ({}))
    await thread.start()
    await started[0]?.terminate()
    const timer = await clock.timer(1)
    await thread.stop(1_000)
    expect(timer.cancelled).toBe(true)
    expect(started.length).toBe(1)
  })

  test('during a restart: nothing is left and nothing is reported', async () => {
    const { thread, clock, started, died } = supervise(() => ({}))
    await thread.start()
    await started[0]?.terminate()
    ;(await clock.timer(1)).fire()
    await thread.stop(30_000)
    expect([started.length, died.length]).toEqual([1, 1])
    expect(thread.thread).toBeUndefined()
  })

  test('during a restart that hangs: it is ended after the grace, and not reported', async () => {
    let options: CounterOptions = {}
    const { thread, clock, started, died } = supervise(() => options)
    await thread.start()
    options = { atStart: 'hang' }
    await started[0]?.terminate()
    ;(await clock.timer(1)).fire()
    await thread.stop(100)
    expect([started.length, died.length, clock.timers.length]).toEqual([1, 1, 1])
  })

  test('at any moment of many starts and deaths leaves nothing behind', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { thread, clock, started } = supervise(() => ({}))
      const starting = thread.start().catch((error: unknown) => error)
      if (round > 0) await starting
      if (round > 1) void started[0]?.terminate()
      if (round > 2) (await clock.timer(1)).fire()
      await thread.stop(30_000)
      for (const up of started) await up.exited
    }
  })
})

describe('stopInReverse', () => {
  const child = (name: string, calls: string[], error?: Error) => ({
    async stop(graceMs: number) {
      calls.push(`${name} begins ${graceMs}`)
      await Promise.resolve()
      calls.push(`${name} ends`)
      if (error !== undefined) throw error
    },
  })

  test('stops the last first, one after another', async () => {
    const calls: string[] = []
    await stopInReverse([child('a', calls), child('b', calls)], 5)
    expect(calls).toEqual(['b begins 5', 'b ends', 'a begins 5', 'a ends'])
  })

  test('goes on after a failure, and reports all of them', async () => {
    const calls: string[] = []
    const children = [child('a', calls, new Error('a')), child('b', calls), child('c', calls, new Error('c'))]
    const error = await stopInReverse(children, 5).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(AggregateError)
    expect(error).toMatchObject({ errors: [{ message: 'c' }, { message: 'a' }] })
    expect(calls.at(-1)).toBe('a ends')
  })
})
