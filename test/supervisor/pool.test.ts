/**
 * Goal: the pool comes back to its full size once new threads can load what they need, however long that takes.
 * Method: the pool alone, over real threads, and a clock whose timers fire at once and are written down.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Clock, systemClock } from '../../src/clock.ts'
import { Pool } from '../../src/supervisor/pool.ts'
import type { ThreadDeath } from '../../src/supervisor/pool-thread.ts'

let folder = ''
let pool: Pool | undefined
let deaths: ThreadDeath[] = []
let gaveUp: Error | undefined
let delays: number[] = []
let loadTimeoutMs = 30_000
let checks: (() => void)[] = []

function changed(): void {
  for (const check of [...checks]) check()
}

/** Resolves when the pool has told something after which this is so. */
function until(isReached: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (!isReached()) return
      checks = checks.filter((one) => one !== check)
      resolve()
    }
    checks.push(check)
    check()
  })
}

const hurriedClock: Clock = {
  ...systemClock,
  startTimer(delayMs, fire) {
    delays.push(delayMs)
    const handle = setImmediate(fire)
    return { cancel: () => clearImmediate(handle) }
  },
}

async function startPool(threads: number): Promise<Pool> {
  const fixture = (name: string) => new URL(`../fixtures/jobs/${name}`, import.meta.url).href
  const settings = {
    threads,
    databaseId: 'abcdefgh',
    moduleUrls: [fixture('only-ok.ts')],
    jobTypes: ['OK'],
    setupUrl: fixture('set-up.ts'),
    threadMemoryMb: 128,
    recycleAfterJobs: 0,
    recycleAboveMb: 0,
    threadNiceness: 0,
    database: join(folder, 'tasks.db'),
    jobLogBytes: 4_096,
    get loadTimeoutMs() {
      return loadTimeoutMs
    },
    booted: [],
    connectActors: () => ({}),
  }
  pool = new Pool(settings, hurriedClock, {
    onReady: changed,
    onOutcomes: () => {},
    onBatchEnd: () => {},
    onLateThrow: () => {},
    onNews: () => {},
    onLogFailure: () => {},
    onDied: (_thread, death) => {
      deaths.push(death)
      changed()
    },
    onGaveUp: (error) => {
      gaveUp = error
      changed()
    },
  })
  await pool.start()
  return pool
}

/** Ends one of the threads that are ready. */
function endOne(of: Pool): void {
  const [thread] = of.ready()
  if (thread !== undefined) void of.end(thread)
}

const saying = (text: string) => ({ error: { message: expect.stringContaining(text) } })

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pool-'))
  vi.stubEnv('SCRIPTED_SET_UP_FORBIDDEN', join(folder, 'forbidden'))
  vi.stubEnv('SCRIPTED_SET_UP_HANGS', join(folder, 'hangs'))
  deaths = []
  gaveUp = undefined
  delays = []
  loadTimeoutMs = 30_000
})

afterEach(async () => {
  await pool?.close()
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

test('while a thread serves, new ones that fail are told and tried again until one comes up', async () => {
  const served = await startPool(2)
  writeFileSync(join(folder, 'forbidden'), '')
  endOne(served)
  await until(() => deaths.length === 8)
  expect(deaths.slice(1)).toMatchObject(Array(7).fill(saying('set-up is forbidden today')))
  expect(delays.slice(0, 6)).toEqual([10, 20, 40, 80, 160, 1_000])
  expect(gaveUp).toBeUndefined()
  rmSync(join(folder, 'forbidden'))
  await until(() => served.ready().length === 2)
})

test('with no thread left it is tried five times more, one at a time, and then given up', async () => {
  const served = await startPool(2)
  writeFileSync(join(folder, 'forbidden'), '')
  endOne(served)
  endOne(served)
  await until(() => gaveUp !== undefined)
  expect(gaveUp?.message).toContain('set-up is forbidden today')
  expect(delays).toEqual([10, 20, 40, 80, 160])
})

test('a new thread that never finishes loading is ended, told, and tried again', async () => {
  const served = await startPool(1)
  loadTimeoutMs = 200
  writeFileSync(join(folder, 'hangs'), '')
  endOne(served)
  await until(() => deaths.length === 2)
  expect(deaths[1]).toMatchObject(saying('has not loaded its modules after 200 ms'))
  loadTimeoutMs = 30_000
  rmSync(join(folder, 'hangs'))
  await until(() => served.ready().length === 1)
})
