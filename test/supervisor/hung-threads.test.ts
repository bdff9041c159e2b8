/** Goal: a thread is taken for hung only when it goes on with nothing. Method: looks at one thread, as a table. */
import { MessageChannel } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import { limits } from '../../src/config.ts'
import type { ThreadNotice } from '../../src/execution/messages.ts'
import { createOutbox } from '../../src/execution/outbox.ts'
import { toJobSeq } from '../../src/job/id.ts'
import { DispatchedBatch } from '../../src/supervisor/batch.ts'
import { Claims } from '../../src/supervisor/claims.ts'
import { HungThreads } from '../../src/supervisor/hung-threads.ts'
import { JobType } from '../../src/supervisor/job-types.ts'
import { PoolThread } from '../../src/supervisor/pool-thread.ts'

const closes: (() => void)[] = []
afterEach(() => {
  for (const close of closes.splice(0)) close()
})

const types = { program: new JobType('PROGRAM', { isProgram: true }), handler: new JobType('HANDLER', {}) }

class Scene {
  readonly hung = new HungThreads()
  readonly thread: PoolThread
  readonly asked: ThreadNotice[] = []
  readonly #claims = new Claims()
  #nowMs = 1_000
  #lastSeq = 0

  constructor() {
    const { port1, port2 } = new MessageChannel()
    closes.push(() => port1.close())
    this.thread = new PoolThread(1, port1, createOutbox())
    this.thread.notify = (notice) => void this.asked.push(notice)
    port2.unref()
  }

  /** Gives the thread a batch of one job, and has it begin that. */
  give(type: keyof typeof types, does: 'begins' | 'waits'): DispatchedBatch {
    this.#claims.make(
      {
        seq: toJobSeq(++this.#lastSeq),
        queue: 'default',
        priority: 0,
        payload: 'null',
        createdAt: 0,
        attempt: 1,
        failures: 0,
        suspicion: 0,
        subjectKey: null,
        generation: null,
        traceparent: null,
      },
      types[type],
      undefined,
    )
    this.#claims.committed()
    const batch = new DispatchedBatch(this.#lastSeq, this.thread, [this.#claims.ready.take()])
    this.thread.batches.push(batch)
    if (does === 'begins') batch.control.start(0, this.#nowMs)
    return batch
  }

  /** Looks for so long. True: hung at the last look. */
  look(forMs: number, atEach = () => {}): boolean {
    let isHung = false
    for (let passedMs = 0; passedMs < forMs; passedMs += limits.watchEveryMs) {
      this.#nowMs += limits.watchEveryMs
      isHung = this.hung.look([this.thread], this.#nowMs).includes(this.thread)
      atEach()
    }
    return isHung
  }
}

const longMs = limits.hungAfterMs + 2 * limits.watchEveryMs

test('a thread in which a handler runs is neither asked nor hung, and one with programs alone is', () => {
  const scene = new Scene()
  scene.give('program', 'begins')
  const work = scene.give('handler', 'begins')
  expect(scene.look(longMs)).toBe(false)
  expect(scene.asked).toEqual([])
  work.control.end(0)
  scene.thread.remove(work)
  expect(scene.look(limits.hungAfterMs)).toBe(false)
  expect(scene.hung.isStill(scene.thread)).toBe(true)
  expect(scene.look(longMs - limits.hungAfterMs)).toBe(true)
  expect(scene.asked).toEqual([{ kind: 'give-sign' }])
})

test('one that gives signs of life is not hung, and asked only now and then', () => {
  const scene = new Scene()
  scene.give('program', 'begins')
  const answer = () => {
    scene.thread.owesSign = false
  }
  expect(scene.look(10_000, answer)).toBe(false)
  expect(scene.asked).toHaveLength(10_000 / limits.signEveryMs)
  expect(scene.hung.isStill(scene.thread)).toBe(false)
  // From now on it gives none, whatever it is given beside.
  scene.look(2 * limits.signEveryMs)
  const waiting = scene.give('handler', 'waits')
  expect(scene.look(longMs)).toBe(true)
  // It begins that after all.
  waiting.control.start(0, 0)
  expect(scene.look(limits.watchEveryMs)).toBe(false)
})

test('one that begins nothing is hung, unless something has ended meanwhile', () => {
  const scene = new Scene()
  const first = scene.give('handler', 'waits')
  expect(scene.look(limits.hungAfterMs)).toBe(false)
  first.control.runUntil(0, 1)
  first.control.end(0)
  expect(scene.look(limits.hungAfterMs)).toBe(false)
  expect(scene.look(longMs)).toBe(true)
})
