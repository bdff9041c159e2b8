import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Connection from 'better-sqlite3'
import { afterEach, beforeEach, expect } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import type { ErrorCode, SemanticaError } from '../../src/errors.ts'
import { jobStates } from '../../src/job/state.ts'
import { decodeRanges } from '../../src/store/ranges.ts'
import scripted from '../fixtures/jobs/scripted.ts'
import { type StageMessage, stageName } from '../fixtures/jobs/stage.ts'

type Scripted = Awaited<ReturnType<typeof startScripted>>

/** Without the throttle: what runs must not hang on what else the machine does. */
export function startScripted(options: Omit<EngineOptions, 'jobs'>) {
  return Engine.start({
    jobs: scripted,
    threads: 1,
    logLevel: 'silent',
    stopGraceMs: 5_000,
    throttle: false,
    ...options,
  })
}

interface Engines {
  readonly folder: string
  pathOf(name: string): string
  /** An engine of the scripted jobs; with one thread and the database `tasks.db` unless told otherwise. */
  open(options?: Partial<Omit<EngineOptions, 'jobs'>>): Promise<Scripted>
  /** Has another engine stopped, and its database checked, after the test. */
  keep<Kept extends AnyEngine>(engine: Kept, name?: string): Kept
  /** Changes the database `tasks.db`, which no engine has open. */
  change(sql: string): void
  /** A new listener to what handlers announce. */
  readonly stage: Stage
}

interface AnyEngine {
  stop(options?: { graceMs?: number }): Promise<unknown>
}

/**
 * Call once in a test file, outside of the tests. Each thread takes time to start: one is enough unless the tests need more. After each test the engines are stopped, and of each database must be
 * true what is always true of one that nobody has open: the counters equal the table, and nothing is claimed.
 */
export function useEngines(defaults: { readonly threads?: number } = {}): Engines {
  let folder = ''
  let stage: Stage | undefined
  const opened: { engine: AnyEngine; path: string }[] = []
  const pathOf = (name: string) => join(folder, name)
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'engine-'))
    // Before any handler can tell where it is: what nobody listens to is lost.
    stage = new Stage()
  })
  afterEach(async () => {
    const ended = opened.splice(0)
    for (const { engine } of ended) await engine.stop()
    stage?.close()
    stage = undefined
    try {
      for (const path of new Set(ended.map((one) => one.path))) expectSound(path)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
  return {
    get folder() {
      return folder
    },
    pathOf,
    async open(options = {}) {
      const database = options.database ?? pathOf('tasks.db')
      const engine = await startScripted({ ...defaults, ...options, database })
      opened.push({ engine, path: database })
      return engine
    },
    keep(engine, name = 'tasks.db') {
      opened.push({ engine, path: pathOf(name) })
      return engine
    },
    change(sql) {
      const database = new Connection(pathOf('tasks.db'))
      database.exec(sql)
      database.close()
    },
    get stage() {
      if (stage === undefined) throw new Error('The stage is there while a test runs')
      return stage
    },
  }
}

/** What handlers announce, and the gates they wait at. */
class Stage {
  readonly #channel = new BroadcastChannel(stageName)
  readonly messages: StageMessage[] = []
  readonly #open = new Set<string>()
  #checks: (() => void)[] = []
  readonly #listeners: ((message: StageMessage) => void)[] = []

  constructor() {
    this.#channel.onmessage = (event) => {
      // The boundary: only scripted handlers post here.
      const message = (event as { readonly data: StageMessage }).data
      this.messages.push(message)
      if (message.kind === 'waits' && this.#open.has(message.gate)) this.open(message.gate)
      for (const listen of this.#listeners) listen(message)
      for (const check of [...this.#checks]) check()
    }
  }

  /** Hears everything from now on, until the test ends. */
  listen(listener: (message: StageMessage) => void): void {
    this.#listeners.push(listener)
  }

  /** Resolves when this attempt (by default any) of the job has begun. */
  began(jobId: string, attempt?: number): Promise<void> {
    return this.until((messages) =>
      messages.some(
        (message) =>
          message.kind === 'began' &&
          message.jobId === jobId &&
          (attempt === undefined || message.attempt === attempt),
      ),
    )
  }

  /** Resolves when this many handlers have come to the gate. */
  waits(gate: string, count = 1): Promise<void> {
    return this.until(
      (messages) => messages.filter((one) => one.kind === 'waits' && one.gate === gate).length >= count,
    )
  }

  /** Opens a gate, for those that wait and for those that will come. */
  open(gate: string): void {
    this.#open.add(gate)
    this.#channel.postMessage({ kind: 'open', gate } satisfies StageMessage)
  }

  until(isReached: (messages: readonly StageMessage[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!isReached(this.messages)) return
        this.#checks = this.#checks.filter((one) => one !== check)
        resolve()
      }
      this.#checks.push(check)
      check()
    })
  }

  attemptsOf(jobId: string): number[] {
    return this.messages.flatMap((message) =>
      message.kind === 'began' && message.jobId === jobId ? [message.attempt] : [],
    )
  }

  close(): void {
    this.#channel.close()
  }
}

/** What the promise rejects with, which must be an error of the registry with this code. */
export async function rejectionOf(promise: Promise<unknown>, code: ErrorCode): Promise<SemanticaError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  if (!('error' in outcome)) throw new Error(`Expected ${code}, but got ${JSON.stringify(outcome.value)}`)
  expect(outcome.error).toMatchObject({ name: 'SemanticaError', code })
  return outcome.error as SemanticaError
}

/** Reads the table of a database that no engine has open. */
export function readTable<Row>(path: string, sql: string): Row[] {
  const database = new Connection(path, { readonly: true })
  try {
    return database.prepare<[], Row>(sql).all()
  } finally {
    database.close()
  }
}

function expectSound(path: string): void {
  const counted = readTable<{ queue: string; state: string; jobs: number }>(
    path,
    'SELECT queue, state, COUNT(*) AS jobs FROM jobs GROUP BY queue, state ORDER BY queue, state',
  )
  const counters = readTable(
    path,
    'SELECT queue, state, jobs FROM counters WHERE jobs != 0 ORDER BY queue, state',
  )
  expect(counters).toEqual(counted)
  expect(counted.filter(({ state }) => state === 'RUNNING')).toEqual([])
  for (const { state } of counted) expect(jobStates).toContain(state)
  const [claims] = readTable<{ value: string }>(path, "SELECT value FROM meta WHERE name = 'claims'")
  expect(decodeRanges(claims?.value ?? '')).toEqual([])
  // Of a subject at most one job lives, and a waiter has something to wait for.
  expect(
    readTable(
      path,
      `SELECT subject_key FROM jobs WHERE subject_key IS NOT NULL AND finished_at IS NULL
       GROUP BY subject_key HAVING COUNT(*) > 1`,
    ),
  ).toEqual([])
  expect(readTable(path, "SELECT seq FROM jobs WHERE waits_for = 'subject' AND state = 'SCHEDULED'")).toEqual(
    [],
  )
  const [integrity] = readTable<{ integrity_check: string }>(path, 'PRAGMA integrity_check')
  expect(integrity?.integrity_check).toBe('ok')
}

/** Comes back when the pool has all its threads again. */
export async function expectFullPool(
  engine: { stats(): Promise<{ threads: { ready: number } }> },
  threads: number,
): Promise<void> {
  // A replacement loads its modules first. It is ready when it is counted; there must never be one too many.
  for (;;) {
    const { ready } = (await engine.stats()).threads
    expect(ready).toBeLessThanOrEqual(threads)
    if (ready === threads) return
    await new Promise((resolve) => setImmediate(resolve))
  }
}
