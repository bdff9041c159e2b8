/** Thousands of jobs of which many do what no job should: each ends as its script says, and harms no other. */
import { expect, test } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import { expectFullPool, useEngines } from '../engine/open-engine.ts'
import misbehaving from '../fixtures/jobs/misbehaving.ts'
import { isFull, randomFrom, seed } from './effort.ts'

const engines = useEngines()

type Type = keyof typeof misbehaving.definitions

interface Script {
  /** Of a thousand jobs. */
  readonly share: number
  readonly state: 'DONE' | 'FAILED' | 'CANCELLED'
  /** Of its failed attempts, in order. */
  readonly causes: readonly string[]
}

const scripts: Readonly<Record<Type, Script>> = {
  SUCCEEDS: { share: 780, state: 'DONE', causes: [] },
  FAILS_ONCE: { share: 60, state: 'DONE', causes: ['THREW'] },
  THROWS: { share: 60, state: 'FAILED', causes: ['THREW'] },
  RETURNS_JUNK: { share: 30, state: 'FAILED', causes: ['INVALID_RESULT'] },
  HEEDS_CANCEL: { share: 20, state: 'CANCELLED', causes: [] },
  THROWS_LATER: { share: 10, state: 'FAILED', causes: ['THREW'] },
  THROWS_AFTER_ITS_END: { share: 10, state: 'DONE', causes: [] },
  SPINS: { share: 8, state: 'FAILED', causes: ['TIMED_OUT'] },
  HANGS: { share: 8, state: 'FAILED', causes: ['TIMED_OUT'] },
  IGNORES_CANCEL: { share: 8, state: 'CANCELLED', causes: ['CANCELLED'] },
  EXITS: { share: 4, state: 'FAILED', causes: ['EXITED', 'EXITED'] },
  EXHAUSTS: { share: 2, state: 'FAILED', causes: ['OUT_OF_MEMORY', 'OUT_OF_MEMORY'] },
}

const jobsInAll = isFull ? 10_000 : 600
const atOnce = 200

test(`${jobsInAll} jobs that behave as they like (seed ${seed})`, { timeout: 600_000 }, async () => {
  const engine = engines.keep(
    await Engine.start({
      jobs: misbehaving,
      database: engines.pathOf('tasks.db'),
      threads: 2,
      threadMemoryMb: 48,
      logLevel: 'silent',
    }),
  )
  const cancelled: Promise<unknown>[] = []
  const attempts = new Map<string, number[]>()
  engines.stage.listen((message) => {
    if (message.kind !== 'began') return
    attempts.set(message.jobId, [...(attempts.get(message.jobId) ?? []), message.attempt])
    const isToCancel = message.jobType === 'IGNORES_CANCEL' || message.jobType === 'HEEDS_CANCEL'
    if (isToCancel) cancelled.push(engine.cancel(message.jobId))
  })
  const jobs: { readonly id: string; readonly type: Type }[] = []
  for (const types of inGroups(shuffledTypes())) {
    const added = await engine.enqueueMany(types.map((type) => ({ type })))
    for (const [index, type] of types.entries()) jobs.push({ id: added[index]?.id ?? '', type })
    await Promise.allSettled(added.map((job) => job.result()))
  }
  await engine.idle()
  await Promise.all(cancelled)

  for (const { id, type } of jobs) {
    const details = await engine.get(id)
    const { state, causes } = scripts[type]
    const found = { type, state: details?.state, causes: details?.failedAttempts.map(({ cause }) => cause) }
    expect(found).toEqual({ type, state, causes })
    // Each attempt began once, and none after the one that its outcome names. One may have gone with a thread that others
    // had ended: it is not charged, and counted.
    const begun = attempts.get(id) ?? []
    expect(new Set(begun).size).toBe(begun.length)
    expect(Math.max(...begun)).toBe(details?.attempt)
  }
  // The pool is whole again, and works.
  await expectFullPool(engine, 2)
  expect(await (await engine.enqueue('SUCCEEDS')).result()).toBe('done')
})

function shuffledTypes(): Type[] {
  const random = randomFrom(seed)
  const types = Object.entries(scripts).flatMap(([type, { share }]) =>
    // The boundary: the table has these keys.
    new Array<Type>(Math.max(1, Math.round((share * jobsInAll) / 1_000))).fill(type as Type),
  )
  return types
    .map((type) => ({ type, order: random() }))
    .sort((one, other) => one.order - other.order)
    .map(({ type }) => type)
}

function* inGroups(types: readonly Type[]): Generator<Type[]> {
  for (let first = 0; first < types.length; first += atOnce) yield types.slice(first, first + atOnce)
}
