/** What the supervisor consists of without its threads, on a database whose statements can be made to fail. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import Connection, { type Database } from 'better-sqlite3'
import { afterAll, beforeAll, expect } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import type { AttemptEnd } from '../../src/execution/messages.ts'
import { createOutbox } from '../../src/execution/outbox.ts'
import { toJobSeq } from '../../src/job/id.ts'
import { isFinal, type JobState, jobStates } from '../../src/job/state.ts'
import { openWriter } from '../../src/store/open.ts'
import { decodeRanges } from '../../src/store/ranges.ts'
import { JobWriter } from '../../src/store/writer.ts'
import { advance } from '../../src/supervisor/backlog.ts'
import { DispatchedBatch } from '../../src/supervisor/batch.ts'
import { applyCancel } from '../../src/supervisor/cancel.ts'
import { Changes } from '../../src/supervisor/changes.ts'
import { type Claim, Claims } from '../../src/supervisor/claims.ts'
import { applyEnqueue } from '../../src/supervisor/enqueue.ts'
import { type Command, GroupCommit } from '../../src/supervisor/group-commit.ts'
import { JobTypes } from '../../src/supervisor/job-types.ts'
import { LastingCommands } from '../../src/supervisor/lasting-commands.ts'
import { submitDeath, submitOutcomes } from '../../src/supervisor/lasting-endings.ts'
import type { EnqueueRequest, SettledJob } from '../../src/supervisor/messages.ts'
import { PoolThread } from '../../src/supervisor/pool-thread.ts'
import { type Fault, FaultyDatabase } from './faulty-database.ts'
import { LoggedStates } from './logged-states.ts'
import { misplacedJobs, parkedJobs, unexpectedJobs } from './stored-rows.ts'

const ports = new MessageChannel()

const retry = { maxAttempts: 2, jitter: 0 }
const plain = { OK: {}, FAIL: { retry }, PARENT: {} }
const served = { ...plain, PROGRAM: { isProgram: true }, FAILING_PROGRAM: { isProgram: true, retry } }

/** What the supervisor consists of, without its threads: the test says when a job begins, and ends. */
export class Rig {
  readonly faults: FaultyDatabase
  readonly claims = new Claims()
  readonly changes: Changes
  readonly settled: SettledJob[] = []
  readonly acknowledged = new Set<number>()
  /** Jobs of which it was told that what became of them could not be recorded. */
  readonly unrecorded: number[] = []
  readonly #logged = new LoggedStates()
  readonly #database: Database
  readonly #commit: GroupCommit
  readonly #thread = new PoolThread(1, ports.port1, createOutbox())
  #batches: DispatchedBatch[] = []
  #nowMs = 1_000_000
  #lastBatch = 0
  #waiting: Command[] = []
  #timers: (() => void)[] = []
  readonly #lasting: LastingCommands

  constructor(database: Database) {
    this.#database = database
    this.faults = new FaultyDatabase(database)
    const jobTypes = new JobTypes(served)
    const writer = new JobWriter(this.faults.asDatabase(), (jobType) => jobTypes.isProgram(jobType))
    const remembered = { mark: () => this.changes.mark() }
    this.#commit = new GroupCommit(writer, this.claims, remembered, database.name, undefined)
    const clock: Clock = {
      wallMs: () => this.#nowMs,
      monotonicMs: () => this.#nowMs,
      startTimer: (_delayMs, fire) => {
        this.#timers.push(fire)
        return { cancel() {} }
      },
    }
    this.#lasting = new LastingCommands(clock, {
      offer: (command) => this.#waiting.push(command),
      onFailure: (_error, _retryInMs, claim) => claim !== undefined && this.unrecorded.push(claim.seq),
      onRetry: () => {},
    })
    this.changes = new Changes({
      writer,
      claims: this.claims,
      jobTypes,
      clock,
      threads: 1,
      programConcurrency: 1,
      random: () => 0.5,
      listener: {
        wants: () => true,
        wantsProgress: () => false,
        onSettled: (job) => this.settled.push(job),
        onEvent: this.#logged.onEvent,
        abort: () => {},
      },
      metering: undefined,
      mayWriteMuch: () => true,
      afterCommit: (effect) => this.#commit.afterCommit(effect),
      transitions: this.#logged.transitions,
      skips: this.#logged.transitions,
    })
    this.changes.admits = true
  }

  /** A request: refused, it is gone. Gives the numbers of its jobs once they are acknowledged. */
  enqueue({
    payloads,
    ...request
  }: Partial<Omit<EnqueueRequest, 'payloads'>> & { payloads: readonly string[] }): {
    seqs: readonly number[]
  } {
    const answer: { seqs: readonly number[] } = { seqs: [] }
    this.#waiting.push({
      apply: () => {
        const reply = applyEnqueue(this.changes, {
          jobTypes: 'OK',
          options: undefined,
          ...request,
          jobs: payloads.length,
          payloads: JSON.stringify(payloads),
        })
        this.#commit.afterCommit(() => {
          answer.seqs = reply.kind === 'run' ? payloads.map((_, index) => reply.firstSeq + index) : reply.seqs
          for (const seq of answer.seqs) this.acknowledged.add(seq)
        })
      },
      refuse: () => {},
    })
    return answer
  }

  request(apply: () => void, refuse: Command['refuse'] = () => {}): void {
    this.#waiting.push({ apply, refuse })
  }

  /** Ends a running job behind the back of its claim. */
  steal(seq: number): void {
    this.request(() => {
      const steal = "UPDATE jobs SET state = 'CANCELLED', finished_at = 1 WHERE seq = ? AND state = 'RUNNING'"
      expect(this.#database.prepare(steal).run(seq).changes).toBe(1)
      this.changes.writer.counters.move('default', 'RUNNING', 'CANCELLED')
      this.#commit.afterCommit(() => this.#logged.states.set(seq, 'CANCELLED'))
    })
  }

  cycle(): void {
    const commands = this.#waiting
    let isClosing = false
    this.#waiting = []
    this.#commit.run(() => {
      const command = commands.shift()
      if (command !== undefined) return command
      if (isClosing) return undefined
      isClosing = true
      return { apply: () => advance(this.changes, true), refuse: () => {} }
    })
    this.#waiting.unshift(...commands)
    this.#logged.transitions.flush(this.#nowMs)
    this.check()
  }

  /** All waits are over then. */
  pass(ms: number): void {
    this.#nowMs += ms
    for (const fire of this.#timers.splice(0)) fire()
  }

  /** So many waits, and all that is tried after each of them. */
  goOn(waits: number): void {
    for (let wait = 0; wait < waits; wait++) {
      this.pass(1)
      // What is refused ends a commit.
      do this.cycle()
      while (this.#waiting.length > 0)
    }
  }

  /** Gives everything that is ready to the thread. */
  dispatch(): void {
    const taken: Claim[] = []
    for (
      let next = this.claims.ready.takeSuspect();
      next !== undefined;
      next = this.claims.ready.takeSuspect()
    ) {
      taken.push(next)
      next.place = 'held'
    }
    while (this.claims.ready.peek() !== undefined) taken.push(this.claims.ready.take())
    expect(new Set(taken).size, 'each is given out once').toBe(taken.length)
    if (taken.length > 0) this.#batches.push(new DispatchedBatch(++this.#lastBatch, this.#thread, taken))
  }

  /** Has the handlers of what was given out begin. */
  begin(): void {
    for (const { claims, control } of this.#batches) {
      for (const [index] of claims.entries()) control.start(index, this.#nowMs)
    }
  }

  /** Has what has begun end, or some of it, each as its type and payload say. */
  end(ends: (seq: number) => boolean = () => true): void {
    const begunBatches = this.#batches.filter((batch) => batch.waiting().length === 0)
    this.#batches = this.#batches.filter(
      (batch) => batch.waiting().length > 0 || batch.started().some(({ seq }) => !ends(seq)),
    )
    for (const batch of begunBatches) {
      const begun = batch.started().filter(({ seq }) => ends(seq))
      for (const claim of begun) batch.control.end(claim.index)
      const succeeded = begun
        .filter(({ jobType }) => ['OK', 'PROGRAM'].includes(jobType.name))
        .map(({ index }) => index)
      const others = begun.flatMap((claim): AttemptEnd[] => {
        const { index } = claim
        const error = { name: 'Error', message: 'as scripted' }
        const child = { jobType: 'OK', payload: '"child"', options: { subjectKey: 'children' } }
        if (claim.jobType.name === 'PARENT')
          return [{ index, kind: 'succeeded-with-more', result: '1', children: [child, child] }]
        if (['FAIL', 'FAILING_PROGRAM'].includes(claim.jobType.name))
          return [
            {
              index,
              kind: 'failed',
              cause: 'THREW',
              error,
              verdict: { kind: 'retry' },
            },
          ]
        return []
      })
      // Those without a result are recorded together.
      const results = succeeded.map((index) => (index % 4 === 3 ? '"done"' : undefined))
      const outcomes = { batch: batch.number, succeeded, results, others }
      submitOutcomes(this.#lasting, this.changes, batch, outcomes)
    }
  }

  /** The thread ends under everything that has begun. */
  die(): void {
    const batches = this.#batches.splice(0)
    this.claims.giveBack(batches.flatMap((batch) => batch.takeBackWaiting()))
    const error = { name: 'Error', message: 'the thread died' }
    submitDeath(this.#lasting, this.changes, batches, { cause: 'THREAD_DIED', error, blame: 'running' })
  }

  get isBusy(): boolean {
    const { QUEUED, SCHEDULED, RUNNING } = this.changes.writer.counters.totals()
    return QUEUED + SCHEDULED + RUNNING + this.#waiting.length + this.#timers.length > 0
  }

  check(): void {
    const rows = this.#database
      .prepare<[], { seq: number; state: JobState; queue: string }>(
        'SELECT seq, state, queue FROM jobs ORDER BY seq',
      )
      .all()
    expect(this.#database.inTransaction).toBe(false)
    const running = rows.filter(({ state }) => state === 'RUNNING').map(({ seq }) => seq)
    const inOrder = (seqs: Iterable<number>) => [...seqs].sort((one, other) => one - other)
    expect(inOrder([...this.claims.all()].map((claim) => claim.seq))).toEqual(running)
    const claims = this.#database
      .prepare<[], string>("SELECT value FROM meta WHERE name = 'claims'")
      .pluck()
      .get()
    const ranges = decodeRanges(claims ?? '')
    const isRecorded = (seq: number) => ranges.some(([first, last]) => first <= seq && seq <= last)
    expect(
      running.filter((seq) => !isRecorded(seq)),
      'a recovery would find all that runs',
    ).toEqual([])
    if (running.length === 0) expect(ranges).toEqual([])
    const counted = new Map<string, number>()
    for (const { queue, state } of rows)
      counted.set(`${queue} ${state}`, (counted.get(`${queue} ${state}`) ?? 0) + 1)
    const counters = this.#database
      .prepare<[], [string, number]>("SELECT queue || ' ' || state, jobs FROM counters WHERE jobs != 0")
      .raw()
      .all()
    expect(new Map(counters)).toEqual(counted)
    this.#checkFlows(rows)
    const totals = this.changes.writer.counters.totals()
    for (const [state, jobs] of Object.entries(totals)) {
      expect(jobs, state).toBe(rows.filter((row) => row.state === state).length)
    }
    const programs = [...this.claims.all()].filter(
      ({ jobType, isSetAside }) => jobType.isProgram && !isSetAside,
    )
    expect(programs.length, 'no more programs are claimed than may run').toBeLessThanOrEqual(1)
    expect(misplacedJobs(this.#database), 'programs wait in their lane, and nothing else does').toEqual([])
    expect(this.changes.parked).toBe(parkedJobs(this.#database).length)
    expect(unexpectedJobs(this.#database)).toEqual([])
    const states = new Map(rows.map(({ seq, state }) => [seq, state]))
    for (const seq of this.acknowledged) expect(states.has(seq), `job ${seq} is acknowledged`).toBe(true)
    for (const { seq, state } of this.settled) expect(states.get(seq)).toBe(state)
    expect(new Map([...this.#logged.states].sort(([one], [other]) => one - other))).toEqual(states)
  }

  /** What has ever been added and ended: nothing of a rollback, and nothing twice. */
  #checkFlows(rows: readonly { readonly queue: string; readonly state: JobState }[]): void {
    for (const queue of new Set(rows.map((row) => row.queue))) {
      const own = rows.filter((row) => row.queue === queue)
      const { added, entered } = this.changes.writer.counters.flowOf(queue)
      expect(added).toBe(own.length)
      for (const state of jobStates.filter(isFinal))
        expect(entered[state], state).toBe(own.filter((row) => row.state === state).length)
    }
  }

  finish(): void {
    for (let round = 0; this.isBusy; round++) {
      expect(round, 'the jobs come to an end').toBeLessThan(60)
      // What nobody serves ends by hand.
      for (const seq of parkedJobs(this.#database))
        this.request(() => applyCancel(this.changes, toJobSeq(seq), 1))
      this.cycle()
      this.dispatch()
      this.begin()
      this.end()
      this.pass(100_000)
    }
    this.check()
    const ended = this.#database
      .prepare<[], [number, JobState]>('SELECT seq, state FROM jobs ORDER BY seq')
      .raw()
      .all()
    for (const [, state] of ended) expect(isFinal(state)).toBe(true)
    const told = this.settled.map(({ seq, state }): [number, JobState] => [seq, state])
    expect(told.sort(([one], [other]) => one - other)).toEqual(ended)
  }
}

export type Day = (rig: Rig) => void

export interface Rigs {
  /** Lives through a day on a new database, of which one statement may fail. */
  liveThrough(day: Day, fault?: { readonly at: number; readonly kind: Fault }): Rig
  /** Does something with a new database. */
  withDatabase(use: (database: Database) => void): void
}

/** Call once in a test file, outside of the tests. */
export function useRigs(): Rigs {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'faults-'))
    openWriter({ path: join(folder, 'new.db'), durability: 'process' }).close()
  })
  afterAll(() => {
    ports.port1.close()
    ports.port2.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const withDatabase = (use: (database: Database) => void) => {
    const path = join(folder, 'day.db')
    copyFileSync(join(folder, 'new.db'), path)
    const database = new Connection(path)
    database.pragma('synchronous = OFF')
    try {
      use(database)
    } finally {
      database.close()
      rmSync(path)
    }
  }
  return {
    withDatabase,
    liveThrough(day, fault) {
      const lived: Rig[] = []
      withDatabase((database) => {
        const rig = new Rig(database)
        lived.push(rig)
        if (fault !== undefined) rig.faults.set(fault.at, fault.kind)
        day(rig)
      })
      const [rig] = lived
      if (rig === undefined) throw new Error('A day was lived through')
      return rig
    },
  }
}

/** Has each statement of a day fail in turn; gives how many there are. */
export async function failEach(rigs: Rigs, day: Day, kind: Fault): Promise<number> {
  for (let at = 1; ; at++) {
    // Whoever runs the tests is to hear of this process meanwhile: all of them take most of a minute on a busy machine.
    await turn()
    try {
      const rig = rigs.liveThrough(day, { at, kind })
      if (!rig.faults.hasFailed) return at - 1
    } catch (error) {
      throw new Error(`statement ${at} ${kind}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    }
  }
}
