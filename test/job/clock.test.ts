import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { afterThisTurn, delay, systemClock, withinMs } from '../../src/clock.ts'
import type { ClockThreadData } from '../fixtures/clock/answering-thread.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'Date'] })
})

afterEach(() => {
  if (vi.isFakeTimers()) expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

describe('the system clock', () => {
  test('wall time is that of the system, monotonic time goes on', () => {
    vi.setSystemTime(1_000)
    expect(systemClock.wallMs()).toBe(1_000)
    const before = systemClock.monotonicMs()
    vi.setSystemTime(0)
    expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(before)
  })

  test('monotonic time is the same in every thread', async () => {
    vi.useRealTimers()
    const questions = 50
    const turns = new Int32Array(new SharedArrayBuffer(4))
    const answers = new Float64Array(new SharedArrayBuffer(8 * questions))
    const entry = new URL('../fixtures/clock/answering-thread.ts', import.meta.url)
    const data: ClockThreadData = { turns, answers, questions }
    const thread = new Worker(entry, { workerData: data })
    const ended = once(thread, 'exit')
    const asked: number[] = []
    const answered: number[] = []
    for (let question = 0; question < questions; question++) {
      asked.push(systemClock.monotonicMs())
      Atomics.store(turns, 0, 2 * question + 1)
      while (Atomics.load(turns, 0) !== 2 * question + 2);
      answered.push(systemClock.monotonicMs())
    }
    await ended
    // As exactly as anybody can tell: the answer lies between its question and the reading after it.
    const lag = Math.max(...answers.map((answer, question) => (asked[question] ?? 0) - answer))
    const lead = Math.max(...answers.map((answer, question) => answer - (answered[question] ?? 0)))
    expect(lag).toBeLessThan(0.1)
    expect(lead).toBeLessThan(0.1)
  })

  test('a timer fires once, not before its time', () => {
    const fire = vi.fn()
    systemClock.startTimer(100, fire)
    vi.advanceTimersByTime(99)
    expect(fire).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1_000)
    expect(fire).toHaveBeenCalledOnce()
  })

  test('a cancelled timer does not fire, and may be cancelled again', () => {
    const fire = vi.fn()
    const timer = systemClock.startTimer(100, fire)
    timer.cancel()
    timer.cancel()
    vi.advanceTimersByTime(1_000)
    expect(fire).not.toHaveBeenCalled()
  })

  test('a timer beyond what setTimeout can wait fires in its time, and can be cancelled on the way', () => {
    const dayMs = 86_400_000
    const [fire, never] = [vi.fn(), vi.fn()]
    systemClock.startTimer(60 * dayMs, fire)
    const cancelled = systemClock.startTimer(60 * dayMs, never)
    vi.advanceTimersByTime(59 * dayMs)
    expect(fire).not.toHaveBeenCalled()
    cancelled.cancel()
    vi.advanceTimersByTime(dayMs)
    expect(fire).toHaveBeenCalledOnce()
    expect(never).not.toHaveBeenCalled()
  })
})

describe('waiting', () => {
  test('delay resolves after its time', async () => {
    const waited = delay(50)
    await vi.advanceTimersByTimeAsync(50)
    await expect(waited).resolves.toBeUndefined()
  })

  test('a promise in time gives its value, or its rejection', async () => {
    await expect(withinMs(Promise.resolve(5), 100)).resolves.toBe(5)
    await expect(withinMs(Promise.reject(new Error('no')), 100)).rejects.toThrow('no')
  })

  test('one that is late gives up, and its later rejection is swallowed', async () => {
    const late = Promise.withResolvers<number>()
    const outcome = withinMs(late.promise, 100)
    await vi.advanceTimersByTimeAsync(100)
    await expect(outcome).resolves.toBe('timed-out')
    late.reject(new Error('too late'))
  })

  test('what comes after this turn comes after its promises', async () => {
    const order: string[] = []
    afterThisTurn(() => order.push('after'))
    await Promise.resolve().then(() => order.push('promise'))
    vi.runAllTimers()
    expect(order).toEqual(['promise', 'after'])
  })
})
