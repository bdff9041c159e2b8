/**
 * Goal: thousands of jobs of which many do what no job should. Each ends as its script says, harms no other, and leaves
 * nothing: no thread, no process, no open file, no log beyond its bound. Method: handlers and programs that misbehave in
 * every way there is, mixed at random, over real threads and processes.
 */
import { readdirSync, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import type { JobDetails } from '../../src/engine/job-record.ts'
import { expectFullPool, useEngines } from '../engine/open-engine.ts'
import { livingWith, uniqueSeconds } from '../engine/program-voices.ts'
import misbehaving from '../fixtures/jobs/misbehaving.ts'
import { isFull, randomFrom, seed } from './effort.ts'

const engines = useEngines()

type Type = keyof typeof misbehaving.definitions

interface Script {
  readonly type: Type
  /** Of a thousand jobs. */
  readonly share: number
  readonly state: 'DONE' | 'FAILED' | 'CANCELLED'
  /** Of its failed attempts, in order. */
  readonly causes: readonly string[]
  /** What a program is to do. */
  readonly shell?: string
  readonly timeoutMs?: number
}

/** What the programs sleep for; their children are known by it. */
const seconds = uniqueSeconds()

const scripts: readonly Script[] = [
  { type: 'SUCCEEDS', share: 700, state: 'DONE', causes: [] },
  { type: 'FAILS_ONCE', share: 60, state: 'DONE', causes: ['THREW'] },
  { type: 'THROWS', share: 60, state: 'FAILED', causes: ['THREW'] },
  { type: 'RETURNS_JUNK', share: 30, state: 'FAILED', causes: ['INVALID_RESULT'] },
  { type: 'HEEDS_CANCEL', share: 20, state: 'CANCELLED', causes: [] },
  { type: 'FLOODS_ITS_LOG', share: 20, state: 'DONE', causes: [] },
  { type: 'THROWS_LATER', share: 10, state: 'FAILED', causes: ['THREW'] },
  { type: 'THROWS_AFTER_ITS_END', share: 10, state: 'DONE', causes: [] },
  { type: 'SPINS', share: 8, state: 'FAILED', causes: ['TIMED_OUT'] },
  { type: 'HANGS', share: 8, state: 'FAILED', causes: ['TIMED_OUT'] },
  { type: 'IGNORES_CANCEL', share: 8, state: 'CANCELLED', causes: ['CANCELLED'] },
  { type: 'EXITS', share: 4, state: 'FAILED', causes: ['EXITED', 'EXITED'] },
  { type: 'EXHAUSTS', share: 2, state: 'FAILED', causes: ['OUT_OF_MEMORY', 'OUT_OF_MEMORY'] },
  { ...program('echo done'), share: 20 },
  { ...program('exit 3'), share: 10, state: 'FAILED', causes: ['THREW'] },
  { ...program(`sleep ${seconds} & (sleep ${seconds} &)`), share: 10 },
  { ...program(`setsid sleep ${seconds} & (setsid sh -c 'trap "" TERM; sleep ${seconds}' &)`), share: 10 },
  {
    ...program(`trap "" TERM; setsid sleep ${seconds} & while :; do sleep ${seconds}; done`),
    share: 6,
    state: 'FAILED',
    causes: ['TIMED_OUT'],
    timeoutMs: 100,
  },
  { ...program('yes "a line of the flood" | head -c 200000; echo; yes | head -c 200000 >&2'), share: 4 },
]

function program(shell: string): Omit<Script, 'share'> {
  return { type: 'PROGRAM', state: 'DONE', causes: [], shell }
}

const jobsInAll = isFull ? 10_000 : 400
const atOnce = 200
const logBytes = 4_096
const threads = 2
/**
 * Threads of the engine's own that may come up while it works, as the checkpointer, and the files of each. What is lost with
 * each thread that ends, or each program, would be many times that.
 */
const helperThreads = 2
const filesOfHelper = 6

test(`${jobsInAll} jobs that behave as they like (seed ${seed})`, { timeout: 900_000 }, async () => {
  const database = engines.pathOf('tasks.db')
  const engine = engines.keep(
    await Engine.start({
      jobs: misbehaving,
      database,
      threads,
      threadMemoryMb: 48,
      jobLogBytes: logBytes,
      subprocess: { outputBytes: logBytes },
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
  const enqueue = async (group: readonly Script[]) => {
    const added = await engine.enqueueMany(
      group.map(({ type, shell, timeoutMs }) =>
        shell === undefined
          ? { type }
          : {
              type,
              payload: { args: [shell] },
              options: timeoutMs === undefined ? {} : { timeoutMs },
            },
      ),
    )
    await Promise.allSettled(added.map((job) => job.result()))
    return group.map((script, index) => ({ id: added[index]?.id ?? '', script }))
  }
  // What is opened once and kept is there before anything is counted: by one of each, a look at a job, and as much as
  // makes the checkpointer begin.
  const [one] = await enqueue(scripts)
  await engine.get(one?.id ?? '')
  const payload = 'x'.repeat(50_000)
  await engine.enqueueMany(
    Array.from({ length: 500 }, () => ({ type: 'SUCCEEDS', payload }) as const).values(),
  )
  await engine.idle()
  // The threads that Node reads files with come with the first that is read.
  await stat(engines.folder)
  await expectFullPool(engine, threads)
  const before = countOwn()

  const jobs: { readonly id: string; readonly script: Script }[] = []
  let memoryMb = 0
  for (const group of inGroups(shuffled())) {
    jobs.push(...(await enqueue(group)))
    // Threads have died of everything by then, and their memory may have come and gone.
    if (jobs.length <= jobsInAll / 2) memoryMb = Math.max(memoryMb, process.memoryUsage.rss() / 1e6)
  }
  await engine.idle()
  await Promise.all(cancelled)

  for (const { id, script } of jobs) checkEnd(script, await engine.get(id), attempts.get(id) ?? [])
  // The pool is whole again, and works; everything else is as it was.
  await expectFullPool(engine, threads)
  expect(await (await engine.enqueue('SUCCEEDS')).result()).toBe('done')
  expect(livingWith(seconds)).toEqual([])
  await expectNoMoreThan(before)
  expect(process.memoryUsage.rss() / 1e6).toBeLessThan(memoryMb + 100)
  for (const size of logSizes(`${database}-files`)) expect(size).toBeLessThanOrEqual(logBytes + 1_000)
})

function checkEnd(script: Script, details: JobDetails | undefined, begun: readonly number[]): void {
  const { type, shell, state, causes } = script
  const found = { state: details?.state, causes: details?.failedAttempts.map(({ cause }) => cause) }
  expect({ type, shell, ...found }).toEqual({ type, shell, state, causes })
  if (shell !== undefined) return
  // Each attempt began once, and none after the one that its outcome names. One may have gone with a thread that others
  // had ended: it is not charged, and counted. What such a thread told last may be lost with it.
  expect(new Set(begun).size).toBe(begun.length)
  expect(Math.max(0, ...begun)).toBeLessThanOrEqual(details?.attempt ?? 0)
}

/** Threads, open files and handles of this process. */
function countOwn() {
  return {
    threads: readdirSync('/proc/self/task').length,
    openFiles: readdirSync('/proc/self/fd').length,
    handles: process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate').length,
  }
}

/** A thread that has been ended closes its files a little later. */
async function expectNoMoreThan(before: ReturnType<typeof countOwn>): Promise<void> {
  for (let turn = 0; turn < 200_000; turn++) {
    const now = countOwn()
    const isBack =
      now.threads <= before.threads + helperThreads &&
      now.openFiles <= before.openFiles + filesOfHelper * helperThreads &&
      now.handles <= before.handles
    if (isBack) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(countOwn()).toEqual(before)
}

function logSizes(folder: string): number[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name)).size)
}

function shuffled(): Script[] {
  const random = randomFrom(seed)
  return scripts
    .flatMap((script) =>
      new Array<Script>(Math.max(1, Math.round((script.share * jobsInAll) / 1_000))).fill(script),
    )
    .map((script) => ({ script, order: random() }))
    .sort((one, other) => one.order - other.order)
    .map(({ script }) => script)
}

function* inGroups(all: readonly Script[]): Generator<Script[]> {
  for (let first = 0; first < all.length; first += atOnce) yield all.slice(first, first + atOnce)
}
