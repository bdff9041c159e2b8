/**
 * Every statement that changes the job database, prepared once. The supervisor thread owns the only instance.
 *
 * Whoever changes a state does it here, so that the counters cannot be forgotten. A change of a claim names the
 * attempt that it belongs to: zero rows changed means that somebody else won, which is an answer and not an error.
 */
import type { Database } from 'better-sqlite3'
import { limits } from '../config.ts'
import { assert, unreachable } from '../errors.ts'
import { type JobSeq, toJobSeq } from '../job/id.ts'
import { defaultQueue } from '../job/spec.ts'
import { isFinal, type WaitsFor } from '../job/state.ts'
import { traceIdOf } from '../job/traceparent.ts'
import { CancelWriter, type SkippedClaims } from './cancel-writer.ts'
import { Counters } from './counters.ts'
import { Expirations } from './expirations.ts'
import { Interrupted } from './interrupted.ts'
import { type Lane, Lanes, waitingState } from './lanes.ts'
import { LeavingsWriter } from './leavings-writer.ts'
import { PruneWriter } from './prune-writer.ts'
import { Releases } from './releases.ts'
import type {
  AttemptRow,
  Birth,
  ClaimedRow,
  EndOfWaiting,
  JobHead,
  JobRow,
  NewJob,
  PutBack,
  Settlement,
  SubjectRow,
} from './rows.ts'
import { prepareWrites, type WriteStatements } from './write-statements.ts'

/** Neighbours of one queue, claimed in one statement. */
interface StoredFacts {
  readonly lastSeq: number | undefined
  readonly claims: string | undefined
  readonly uncleared: string | undefined
}

interface ClaimRun {
  readonly firstSeq: JobSeq
  lastSeq: JobSeq
  readonly queue: string
}

export class JobWriter {
  readonly counters = new Counters()
  readonly expirations: Expirations
  readonly cancels: CancelWriter
  readonly leavings: LeavingsWriter
  readonly pruning: PruneWriter
  readonly lanes: Lanes
  readonly releases: Releases
  readonly interrupted: Interrupted
  readonly #database: Database
  readonly #sql: WriteStatements
  /** Asked before each commit. Throws where one would be of no use. */
  mayCommit: (() => void) | undefined
  #lastSeq: number
  /** What the last commit holds: what has not changed is not written again. */
  #stored: StoredFacts

  /** @param isProgram whether the jobs of a type are programs, which wait in a lane of their own */
  constructor(database: Database, isProgram: (jobType: string) => boolean = () => false) {
    this.#database = database
    this.lanes = new Lanes(isProgram)
    this.#sql = prepareWrites(database)
    this.expirations = new Expirations(this.#sql)
    this.cancels = new CancelWriter(database, this.counters)
    this.leavings = new LeavingsWriter(this.#sql)
    this.pruning = new PruneWriter(database, this.counters, this.expirations)
    this.interrupted = new Interrupted(this.#sql)
    this.releases = new Releases(this.#sql, this.counters, this.lanes, this.expirations)
    this.counters.load(this.#sql.countersAll.all())
    this.#lastSeq = Number(this.#sql.metaGet.get('last_seq')?.value ?? 0)
    this.#stored = { lastSeq: undefined, claims: undefined, uncleared: undefined }
  }

  // ---- the transaction

  begin(): void {
    this.#sql.begin.run()
  }

  /**
   * Writes the counters, the highest number given and where the claims are, and commits.
   *
   * @param claimed ranges of job numbers, in which every RUNNING job is
   * @param uncleared those in which no job has begun
   */
  commit(claimed: string, uncleared = ''): void {
    this.counters.flush((queue, state, jobs) => this.#sql.counterSet.run(queue, state, jobs))
    const stored = this.#stored
    if (this.#lastSeq !== stored.lastSeq) this.#sql.metaSet.run('last_seq', this.#lastSeq)
    if (claimed !== stored.claims) this.#sql.metaSet.run('claims', claimed)
    if (uncleared !== stored.uncleared) this.#sql.metaSet.run('uncleared', uncleared)
    this.mayCommit?.()
    this.#sql.commit.run()
    this.#stored = { lastSeq: this.#lastSeq, claims: claimed, uncleared }
    this.counters.committed()
  }

  /** Also after SQLite has rolled back by itself, as it may on a full disk. */
  rollback(): void {
    if (this.#database.inTransaction) this.#sql.rollback.run()
    this.counters.rolledBack()
  }

  /** Runs `apply` so that its failure undoes what it did and nothing else. */
  withSavepoint(apply: () => void): void {
    const mark = this.counters.mark()
    this.#sql.savepoint.run()
    try {
      apply()
      this.#sql.savepointRelease.run()
    } catch (error) {
      // SQLite may have given up the whole transaction: then there is no savepoint to go back to.
      if (this.#database.inTransaction) {
        this.#sql.savepointRollback.run()
        this.#sql.savepointRelease.run()
      }
      this.counters.rollbackTo(mark)
      throw error
    }
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction
  }

  // ---- new jobs

  /** A number that no job has had. Not given again, even when its transaction is rolled back. */
  nextSeq(): JobSeq {
    return this.nextSeqs(1)
  }

  /** The highest number that a job has had. */
  get lastSeq(): JobSeq {
    return toJobSeq(this.#lastSeq)
  }

  /** The first of so many neighbouring ones. */
  nextSeqs(count: number): JobSeq {
    const first = this.#lastSeq + 1
    this.#lastSeq += count
    return toJobSeq(first)
  }

  /**
   * The most frequent case: neighbours of one type, first attempt, default queue and priority, no subject, no options.
   *
   * @param payloads JSON of an array of texts
   */
  jobsInsertPlain(
    birth: 'RUNNING' | 'WAITING',
    firstSeq: JobSeq,
    jobs: number,
    jobType: string,
    payloads: string,
    createdAt: number,
  ): void {
    const { jobsInsertPlainRunning, jobsInsertPlainQueued, jobsInsertPlainProgram } = this.#sql
    const waitsFor = birth === 'RUNNING' ? null : this.lanes.enter(jobType)
    const state = waitsFor === null ? 'RUNNING' : waitingState(waitsFor)
    const waiting = waitsFor === 'program' ? jobsInsertPlainProgram : jobsInsertPlainQueued
    const insert = waitsFor === null ? jobsInsertPlainRunning : waiting
    const { changes } = insert.run(firstSeq, jobType, createdAt, payloads)
    assert(changes === jobs, `${jobs} jobs have as many payloads`)
    this.counters.add(defaultQueue, state, jobs)
  }

  jobInsert(job: NewJob, birth: Birth): void {
    const isLong = job.payload.length > limits.longPayloadCharacters
    if (isLong) this.#sql.payloadInsert.run(job.seq, job.payload)
    const waitsFor = this.#waitsForAt(birth, job.jobType)
    const state = birth.state === 'WAITING' ? waitingState(waitsFor ?? 'turn') : birth.state
    this.#sql.jobInsert.run({
      ...job,
      payload: isLong ? '' : job.payload,
      traceId: traceIdOf(job.traceparent) ?? null,
      state,
      attempt: birth.state === 'RUNNING' ? 1 : 0,
      finishedAt: birth.state === 'SUPERSEDED' ? job.createdAt : null,
      supersededBy: birth.state === 'SUPERSEDED' ? birth.supersededBy : null,
      waitsFor,
    })
    this.counters.add(job.queue, state, 1)
  }

  #waitsForAt(birth: Birth, jobType: string): WaitsFor | null {
    switch (birth.state) {
      case 'WAITING':
        return this.lanes.enter(jobType)
      case 'SCHEDULED':
        return birth.waitsFor
      case 'RUNNING':
      case 'SUPERSEDED':
        return null
      default:
        return unreachable(birth)
    }
  }

  idempotencyKeyFind(key: string): JobSeq | undefined {
    return this.#sql.idempotencyKeyFind.get(key)?.seq
  }

  idempotencyKeyInsert(key: string, seq: JobSeq): void {
    this.#sql.idempotencyKeyInsert.run(key, seq)
  }

  // ---- subjects

  subjectGet(key: string): SubjectRow | undefined {
    return this.#sql.subjectGet.get(key)
  }

  /** Records a new latest generation, and the older job that still runs. */
  subjectAdvance(key: string, generation: number, seq: JobSeq, runningSeq: JobSeq | null): void {
    this.#sql.subjectAdvance.run(key, generation, seq, runningSeq, seq)
  }

  /** Records that the subject has a younger row that is not its latest generation. */
  subjectTouch(key: string, seq: JobSeq): void {
    this.#sql.subjectTouch.run(seq, key)
  }

  /** The jobs of a subject that have not ended: at most one that runs, and the latest. */
  subjectLiveJobs({ latestSeq, runningSeq }: SubjectRow): JobHead[] {
    const heads: JobHead[] = []
    for (const seq of runningSeq === null ? [latestSeq] : [runningSeq, latestSeq]) {
      const head = this.jobHead(seq)
      if (head !== undefined && !isFinal(head.state)) heads.push(head)
    }
    return heads
  }

  // ---- claims

  /**
   * Claims jobs of a lane, at least one if there is any: each is given to `take`, which says whether to go on. Ends
   * also when their payloads come to `maxCharacters`, and before a job of less than `leastPriority`. While it reads
   * nothing else may be written, so what `take` finds to do in the database comes afterwards. What `skipped` skips is
   * not claimed, and none of it is given to `take`.
   *
   * A row at a time and not a list: many together outlive two garbage collections, and then take memory for long.
   *
   * @returns what is left of the lane: nothing but jobs of too low a priority (if any), or perhaps `more`
   */
  backlogClaim(
    lane: Lane,
    maxCharacters: number,
    leastPriority: number,
    take: (row: ClaimedRow, claimed: number) => boolean,
    skipped?: SkippedClaims,
  ): 'more' | 'held' | 'none' {
    const runs: ClaimRun[] = []
    let run: ClaimRun | undefined
    let claimed = 0
    let characters = 0
    const peek = this.#sql.backlogPeek[lane]
    const rows = skipped === undefined ? peek.iterate() : this.cancels.backlogWithout(lane, skipped)
    let left: 'more' | 'held' | 'none' = 'none'
    for (const row of rows) {
      if (row.priority < leastPriority) {
        left = 'held'
        break
      }
      if (run !== undefined && row.seq === run.lastSeq + 1 && row.queue === run.queue) {
        run.lastSeq = row.seq
      } else {
        run = { firstSeq: row.seq, lastSeq: row.seq, queue: row.queue }
        runs.push(run)
      }
      characters += row.payload.length
      if (!take(row, ++claimed) || characters >= maxCharacters) {
        left = 'more'
        break
      }
    }
    const { jobsClaim, jobsClaimPrograms } = this.#sql
    const [claim, from] =
      lane === 'programs' ? ([jobsClaimPrograms, 'SCHEDULED'] as const) : ([jobsClaim, 'QUEUED'] as const)
    for (const { firstSeq, lastSeq, queue } of runs) {
      claim.run(firstSeq, lastSeq)
      this.counters.move(queue, from, 'RUNNING', lastSeq - firstSeq + 1)
    }
    return skipped?.isFull ? 'more' : left
  }

  backlogCount(minimumSuspicion: number): number {
    return this.#sql.backlogCount.get(minimumSuspicion)?.jobs ?? 0
  }

  jobSettleDone(
    seq: JobSeq,
    attempt: number,
    queue: string,
    startedAt: number,
    finishedAt: number,
    result: string | undefined,
  ): boolean {
    const { changes } =
      result === undefined
        ? this.#sql.jobSettleDone.run(startedAt, finishedAt, seq, attempt)
        : this.#sql.jobSettleDoneWithResult.run(startedAt, finishedAt, result, seq, attempt)
    if (changes === 0) return false
    this.counters.move(queue, 'RUNNING', 'DONE')
    return true
  }

  /** The same for neighbours of one queue, in their first attempt, without a result. False: not all were settled. */
  jobsSettleDone(
    firstSeq: JobSeq,
    lastSeq: JobSeq,
    queue: string,
    startedAt: number,
    finishedAt: number,
  ): boolean {
    const { changes } = this.#sql.jobsSettleFirstDone.run(startedAt, finishedAt, firstSeq, lastSeq)
    this.counters.move(queue, 'RUNNING', 'DONE', changes)
    return changes === lastSeq - firstSeq + 1
  }

  jobSettle(seq: JobSeq, attempt: number, queue: string, settlement: Settlement): boolean {
    const { changes } = this.#sql.jobSettle.run({ ...settlement, seq, attempt })
    if (changes === 0) return false
    this.counters.move(queue, 'RUNNING', settlement.state)
    return true
  }

  jobPutBack(seq: JobSeq, claimedAttempt: number, queue: string, back: PutBack): boolean {
    const { jobType, runAt } = back
    const waitsFor = runAt === undefined ? this.lanes.enter(jobType) : 'time'
    const state = waitingState(waitsFor)
    const { changes } = this.#sql.jobPutBack.run({
      seq,
      claimedAttempt,
      state,
      runAt: runAt ?? null,
      waitsFor,
      attempt: back.attempt,
      failures: back.failures,
      suspicion: this.lanes.isProgram(jobType) ? 0 : back.suspicion,
    })
    if (changes === 0) return false
    this.counters.move(queue, 'RUNNING', state)
    return true
  }

  /** How often the job was the one that ended its thread or the process. */
  deathCount(seq: JobSeq): number {
    return this.#sql.deathCount.get(seq)?.deaths ?? 0
  }

  attemptInsert(row: AttemptRow): void {
    this.#sql.attemptInsert.run(row)
  }

  // ---- waiting jobs

  jobHead(seq: JobSeq): JobHead | undefined {
    return this.#sql.jobHead.get(seq)
  }

  jobGet(seq: JobSeq): JobRow | undefined {
    return this.#sql.jobGet.get(seq)
  }

  /** Ends a job that is QUEUED or SCHEDULED. */
  jobEndWaiting(head: JobHead, state: EndOfWaiting, now: number, supersededBy: JobSeq | null): void {
    assert(head.state === 'QUEUED' || head.state === 'SCHEDULED', `job ${head.seq} waits`)
    this.#sql.jobEndWaiting.run(state, now, supersededBy, head.seq)
    this.counters.move(head.queue, head.state, state)
  }

  jobRequestCancel(seq: JobSeq, now: number): void {
    this.#sql.jobRequestCancel.run(now, seq)
  }
}
