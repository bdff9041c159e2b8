/** Goal: outcomes leave a pool thread in time, whatever comes after them. Method: the runner alone, with handlers that look. */
import { AsyncResource } from 'node:async_hooks'
import { expect, test } from 'vitest'
import { afterMicrotasks, afterThisTurn, type Clock, nextTurn } from '../../src/clock.ts'
import { BatchRunner } from '../../src/execution/batch-runner.ts'
import { ControlBlock } from '../../src/execution/control-block.ts'
import type { BatchTask, Outcomes } from '../../src/execution/messages.ts'
import { NewsDesk } from '../../src/execution/news-desk.ts'
import type { JobContext } from '../../src/job/context.ts'
import type { AnyJobDefinition } from '../../src/job/definition.ts'

interface Stage {
  readonly runner: BatchRunner
  readonly sent: Outcomes[]
  /** Indexes of what was laid down in the outbox. */
  readonly laidDown: number[]
  /** How often the supervisor was told to look there. */
  announced(): number
  /** Has the thread come to rest, as it does when only promises are left. */
  rest(): void
  passMs(ms: number): void
}

interface StageOptions {
  readonly overlap?: number
  /** Whether it has room; without, all outcomes go by message. */
  readonly outbox?: 'full' | 'free'
  /** Whether the event loop has its turn by itself, or with `rest` alone. */
  readonly turns?: 'taken' | 'told'
}

function stage(
  handlers: Record<string, AnyJobDefinition['run']>,
  { overlap = 1, outbox = 'full', turns = 'taken' }: StageOptions = {},
): Stage {
  let nowMs = 1_000
  const sent: Outcomes[] = []
  const laidDown: number[] = []
  let announced = 0
  const waiting: (() => void)[] = []
  const clock: Clock = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    startTimer: () => ({ cancel: () => {} }),
  }
  const noActors = () => {
    throw new Error('no actors here')
  }
  const definitions = new Map(Object.entries(handlers).map(([type, run]) => [type, { run, overlap }]))
  const surroundings = {
    databaseId: 'abcdefgh',
    handlers: definitions,
    actor: noActors,
    programs: noActors,
    clock,
    database: '/nowhere/tasks.db',
    jobLogBytes: 1_000_000,
    desk: new NewsDesk(clock, () => {}),
    onLogFailure: () => {},
  }
  const layDown = (_batch: number, index: number) => outbox === 'free' && laidDown.push(index) > 0
  const runner = new BatchRunner(surroundings, {
    outbox: { addSuccess: layDown, addEnd: (batch, { index }) => layDown(batch, index) },
    announce: () => {
      announced++
    },
    send: (outcomes) => sent.push(outcomes),
    whenWaiting: (run) => waiting.push(run),
    afterThisTurn: turns === 'taken' ? afterThisTurn : (run) => waiting.push(run),
    afterMicrotasks,
  })
  return {
    runner,
    sent,
    laidDown,
    announced: () => announced,
    rest: () => {
      for (const run of waiting.splice(0)) run()
    },
    passMs: (ms) => {
      nowMs += ms
    },
  }
}

function batch(number: number, ...jobTypes: string[]): BatchTask & { readonly block: ControlBlock } {
  const block = ControlBlock.forJobs(jobTypes.length)
  return {
    kind: 'batch',
    batch: number,
    control: block.memory,
    jobs: jobTypes.length,
    seqs: jobTypes.map((_, index) => number * 100 + index),
    jobTypes,
    payloads: jobTypes.map(() => 'null'),
    details: undefined,
    block,
  }
}

test('an outcome of one batch does not wait for a synchronous job of the next', async () => {
  const seen: number[] = []
  let open = () => {}
  const scene = stage({
    WAIT: () =>
      new Promise<void>((resolve) => {
        open = resolve
      }),
    LOOK: () => {
      seen.push(scene.sent.flatMap((outcomes) => [...outcomes.succeeded]).length)
    },
  })
  const first = scene.runner.run(batch(1, 'WAIT'))
  const second = scene.runner.run(batch(2, 'LOOK'))
  open()
  await Promise.all([first, second])
  expect(seen).toEqual([1])
})

test('an outcome does not wait for a job of another type', async () => {
  const seen: number[] = []
  const scene = stage({
    QUICK: () => {},
    LOOK: () => {
      seen.push(scene.sent.flatMap((outcomes) => [...outcomes.succeeded]).length)
    },
  })
  await scene.runner.run(batch(1, 'QUICK', 'QUICK', 'LOOK'))
  expect(seen).toEqual([2])
})

test('what the outbox cannot take is sent at once, except what the reply is about to carry', async () => {
  const scene = stage({ TINY: () => {} })
  const rest = await scene.runner.run(batch(1, 'TINY', 'TINY', 'TINY'))
  expect(scene.sent.map((outcomes) => outcomes.succeeded)).toEqual([[0], [1]])
  expect(rest.succeeded).toEqual([2])
})

test('what has ended is sent while a handler waits', async () => {
  let open = () => {}
  const scene = stage(
    {
      QUICK: () => {},
      WAIT: () =>
        new Promise<void>((resolve) => {
          open = resolve
        }),
    },
    { overlap: 2 },
  )
  const running = scene.runner.run(batch(1, 'WAIT', 'QUICK'))
  scene.rest()
  expect(scene.sent.map((outcomes) => outcomes.succeeded)).toEqual([[1]])
  open()
  expect((await running).succeeded).toEqual([0])
})

test('what the outbox takes needs no message, however long the batch goes on', async () => {
  const broken = () => {
    throw new Error('broken')
  }
  const parent = (_payload: unknown, context: JobContext) => context.enqueue('SLOW')
  const scene = stage({ SLOW: () => scene.passMs(50), BROKEN: broken, PARENT: parent }, { outbox: 'free' })
  const rest = await scene.runner.run(batch(1, 'SLOW', 'BROKEN', 'NO_SUCH', 'PARENT', 'SLOW'))
  expect(scene.laidDown).toEqual([0, 1, 2, 3, 4])
  expect([...scene.sent, ...rest.succeeded, ...rest.others]).toEqual([])
  expect(scene.announced()).toBe(0)
})

test('the supervisor is told once to look into the outbox while a handler waits', async () => {
  let open = () => {}
  const scene = stage(
    {
      QUICK: () => {},
      WAIT: () =>
        new Promise<void>((resolve) => {
          open = resolve
        }),
    },
    { overlap: 2, outbox: 'free' },
  )
  const running = scene.runner.run(batch(1, 'WAIT', 'QUICK', 'QUICK'))
  scene.rest()
  scene.rest()
  expect(scene.laidDown).toEqual([1, 2])
  expect(scene.announced()).toBe(1)
  open()
  await running
  scene.rest()
  expect(scene.announced()).toBe(1)
})

test('overlapping jobs run across the end of a batch, up to the smallest overlap', async () => {
  const running: string[] = []
  const open: (() => void)[] = []
  const scene = stage(
    {
      WAIT: (_payload: unknown, context: JobContext) => {
        running.push(context.jobId.slice(-2))
        return new Promise<void>((resolve) => open.push(resolve))
      },
    },
    { overlap: 2, outbox: 'free' },
  )
  const first = scene.runner.run(batch(1, 'WAIT'))
  const second = scene.runner.run(batch(2, 'WAIT', 'WAIT'))
  expect(running).toHaveLength(2)
  open[0]?.()
  await first
  await nextTurn()
  expect(running).toHaveLength(3)
  open[1]?.()
  open[2]?.()
  await second
  expect(scene.laidDown).toEqual([0, 0, 1])
})

test('a job whose time has run out when its turn comes is not begun', async () => {
  const scene = stage({ SLOW: () => scene.passMs(50) })
  const details = (notAfter: number | undefined) => ({
    attempt: 1,
    queue: 'default',
    subjectKey: undefined,
    generation: undefined,
    notAfter,
  })
  const task = batch(1, 'SLOW', 'SLOW', 'SLOW', 'SLOW')
  // The clock stands at 1,000 when the first one begins.
  const rest = await scene.runner.run({
    ...task,
    details: [details(1_000), details(1_049), details(1_050), details(undefined)],
  })
  const outcomes = [...scene.sent, rest]
  expect(outcomes.flatMap(({ succeeded }) => succeeded)).toEqual([0, 2, 3])
  expect(outcomes.flatMap(({ others }) => others)).toMatchObject([{ kind: 'expired', index: 1 }])
  expect([task.block.isWaiting(1), task.block.isStarted(1)]).toEqual([false, false])
})

test('a job that was taken back is passed over', async () => {
  const ran: string[] = []
  const scene = stage({
    TAKE: (_payload: unknown, context: JobContext) => {
      ran.push(context.jobId)
      task.block.takeBack(1)
    },
  })
  const task = batch(1, 'TAKE', 'TAKE', 'TAKE')
  const rest = await scene.runner.run(task)
  expect(ran).toHaveLength(2)
  expect([...scene.sent, rest].flatMap((outcomes) => outcomes.succeeded)).toEqual([0, 2])
})

test('a job that may wait is not begun within what another has left behind', async () => {
  const began: string[] = []
  const scene = stage(
    {
      WAIT: () => {
        began.push('wait')
        return Promise.resolve()
      },
      TINY: () => {
        began.push('tiny')
      },
    },
    { turns: 'told' },
  )
  const beganNow = () => began.splice(0).join(' ')
  // How the first of a type returns is not known before.
  const first = scene.runner.run(batch(1, 'WAIT', 'TINY', 'TINY'))
  expect(beganNow()).toBe('wait')
  await nextTurn()
  scene.rest()
  expect(beganNow()).toBe('tiny tiny')
  await first
  const second = scene.runner.run(batch(2, 'TINY', 'TINY', 'WAIT', 'TINY'))
  expect(beganNow()).toBe('tiny tiny')
  scene.rest()
  expect(beganNow()).toBe('wait')
  await second
  expect(beganNow()).toBe('tiny')
})

test('after one turn as many begin as may overlap', async () => {
  let began = 0
  const wait = () => {
    began++
    return Promise.resolve()
  }
  const scene = stage({ WAIT: wait }, { overlap: 3, turns: 'told' })
  await scene.runner.run(batch(1, 'WAIT'))
  const next = scene.runner.run(batch(2, 'WAIT', 'WAIT', 'WAIT'))
  expect(began).toBe(1)
  scene.rest()
  expect(began).toBe(4)
  await next
})

test('what throws later is told before the next job begins in its place', async () => {
  const order: string[] = []
  const scene = stage({
    THROWS_LATER: () => {
      setImmediate(() => scene.runner.threwLater(new Error('later'), () => order.push('told')))
      return new Promise(() => {})
    },
    NEXT: () => {
      order.push('began')
    },
  })
  await scene.runner.run(batch(1, 'THROWS_LATER', 'NEXT'))
  expect(order).toEqual(['told', 'began'])
})

test('what throws again and again is told now and then, with how often it did', async () => {
  const told: [number, boolean][] = []
  let left: AsyncResource | undefined
  const scene = stage({
    LEAVES: () => {
      left = new AsyncResource('LEFT')
    },
  })
  await scene.runner.run(batch(1, 'LEAVES'))
  const thrown = new Error('again')
  for (let time = 0; time < 1_234; time++) {
    const isKnown = left?.runInAsyncScope(() =>
      scene.runner.threwLater(thrown, ({ throws, hasEnded }) => told.push([throws, hasEnded])),
    )
    expect(isKnown).toBe(true)
  }
  expect(told).toEqual([1, 10, 100, 1_000].map((throws) => [throws, true]))
  expect(scene.runner.threwLater(thrown, () => {})).toBe(false)
})
