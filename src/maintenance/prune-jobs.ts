/**
 * Deletes jobs that finished longer ago than they are kept; then, if there are still more than `maxFinishedJobs`, or if
 * what is stored takes more than `maxDatabaseMb`, the oldest finished ones whatever their age.
 *
 * There is no index by the time of the end: it would be paid for by each job. The walk goes through all rows by their
 * number, in short reads, and passes over those that were enqueued later than what may go has ended. Where one is to go it
 * guesses that thousands behind it ended alike and are to go too, and has the
 * supervisor delete what of them is so: a thread of the lowest priority gets little time while there is much to do. What
 * is left of them is looked at next. It begins at the first one each time, so that a run that was ended in its middle is gone on
 * with by the next, without anything being stored.
 */
import type { FinalState } from '../job/state.ts'
import { type FinishedRow, isFinished, JobWalk, type WalkedRow } from '../store/job-walk.ts'
import { pageBytes } from '../store/open.ts'
import type { PruneItem, PruneReply } from '../supervisor/messages.ts'
import { wantsCompaction } from './compact.ts'
import { PruneItems } from './due-jobs.ts'
import type { Duty, DutyReport, DutySurroundings } from './duty.ts'
import { readSize } from './read-size.ts'

/** Numbers of one read, and jobs and items of one request. */
const numbersPerRead = 2_000
const jobsPerRequest = 20_000
const itemsPerRequest = 2_000
/** The most numbers of one guess, and the part of them that has to have gone for the next one to be bolder. */
const numbersPerGuess = 64_000
const guessedRight = 0.9
/** Numbers that one slice looks at when none of their jobs is to go. */
const numbersPerSlice = 100_000
/** Whose end is younger than this goes only by its age: somebody may be about to ask for its result. */
const youngMs = 60_000
/** How much of the limit is left in use, so that the next job does not pass it again. */
const keptShare = 0.9

/** Why jobs go, one after the other. */
type Pass = 'age' | 'count' | 'size'

export class PruneJobs implements Duty {
  readonly name = 'prune-jobs'
  readonly #surroundings: DutySurroundings
  readonly #walk: JobWalk
  readonly #now: number
  readonly #items = new PruneItems()
  #pass: Pass = 'age'
  #cursor = 0
  #guess = numbersPerRead
  /** Up to this number nothing is guessed. */
  #sureUntil = 0
  /** Jobs that still have to go in a pass by count or size. */
  #excess = Number.POSITIVE_INFINITY
  #compacts: boolean
  readonly #deletedJobs: Record<Pass, number> = { age: 0, count: 0, size: 0 }
  #vacuumedPages = 0
  #examined = 0

  constructor(surroundings: DutySurroundings) {
    const { database, clock, settings } = surroundings
    this.#surroundings = surroundings
    this.#walk = new JobWalk(database)
    this.#now = clock.wallMs()
    this.#compacts = wantsCompaction(settings, readSize(database)) || this.#isTooLarge()
  }

  /** Whether free pages are given back along with what is deleted. */
  get compacts(): boolean {
    return this.#compacts
  }

  async runOnce(): Promise<boolean> {
    const first = this.#walk.next(this.#cursor)
    if (first === undefined) return this.#nextPass()
    const finishedBy = this.#guessable(first)
    if (isFinished(first) && finishedBy !== undefined) await this.#deleteGuessed(first, finishedBy)
    else if (this.#gather()) await this.#delete(this.#items.take())
    return this.#excess > 0 || this.#nextPass()
  }

  report(): DutyReport {
    const { age, count, size } = this.#deletedJobs
    const reasons = [
      ...(count > 0 ? [`${count} for maxFinishedJobs`] : []),
      ...(size > 0 ? [`${size} for maxDatabaseMb`] : []),
    ]
    return {
      duty: this.name,
      deletedJobs: age + count + size,
      deletedEarly: count + size,
      deletedArtifacts: 0,
      reclaimedBytes: this.#vacuumedPages * pageBytes,
      examined: this.#examined,
      details: reasons.length > 0 ? `deleted within their retention: ${reasons.join(', ')}` : undefined,
    }
  }

  /** By when those like this one have to have finished; undefined: it is not one to guess from. */
  #guessable(row: WalkedRow): number | undefined {
    // Times of jobs that were cancelled in bulk have to be known.
    if (row.subjectKey !== null || row.state === 'CANCELLED' || row.seq <= this.#sureUntil) return undefined
    return isFinished(row) ? this.#finishedBy(row) : undefined
  }

  async #deleteGuessed({ seq, state, queue }: FinishedRow, finishedBy: number): Promise<void> {
    const numbers = Math.min(this.#guess, this.#excess)
    const last = seq + numbers - 1
    const run = { first: seq, last, state, queue, finishedBy, subjectKey: null, times: undefined }
    const deleted = await this.#delete([run])
    this.#examined += deleted
    if (deleted === 0) this.#sureUntil = last
    this.#guess = deleted >= numbers * guessedRight ? Math.min(numbersPerGuess, numbers * 2) : numbersPerRead
  }

  /** Reads on until there is something to be deleted, or enough was looked at. */
  #gather(): boolean {
    for (let numbers = 0; numbers < numbersPerSlice; numbers += numbersPerRead) {
      const first = this.#walk.next(this.#cursor)
      if (first === undefined) break
      const last = first.seq + numbersPerRead - 1
      if (this.#walk.areYoungerThan(first, last, this.#lastDue)) this.#passOver(last)
      else if (!this.#walk.isAnyFinishedBy(first.seq, last, this.#lastDue)) this.#skip(first.seq, last)
      else if (numbers > 0 && this.#guessable(first) !== undefined) break
      else this.#gatherRows(last, Math.min(jobsPerRequest, this.#excess) - this.#items.jobs)
      if (this.#items.jobs >= Math.min(jobsPerRequest, this.#excess)) break
      if (this.#items.size >= itemsPerRequest) break
    }
    return this.#items.jobs > 0
  }

  #skip(first: number, last: number): void {
    // Numbers of jobs that have gone are no jobs.
    this.#examined += this.#walk.count(first, last)
    this.#passOver(last)
  }

  #passOver(last: number): void {
    this.#cursor = last
    this.#items.pass(last)
  }

  /** Looks at each row up to `last`, until `limit` are to go. */
  #gatherRows(last: number, limit: number): void {
    let found = 0
    for (const row of this.#walk.rows(this.#cursor, last)) {
      if (found >= limit || this.#items.size >= itemsPerRequest) return
      this.#cursor = row.seq
      this.#examined++
      const finishedBy = isFinished(row) ? this.#finishedBy(row) : undefined
      if (isFinished(row) && finishedBy !== undefined) {
        this.#items.add(row, finishedBy)
        found++
      } else {
        this.#items.pass(row.seq)
      }
    }
    this.#cursor = last
  }

  /** By when the youngest job that may go now has finished. */
  get #lastDue(): number {
    if (this.#pass !== 'age') return this.#now - youngMs
    return this.#now - Math.min(...Object.values(this.#surroundings.settings.retentionMs))
  }

  /** By when such a job has to have finished to go now; undefined: it stays. */
  #finishedBy(row: FinishedRow): number | undefined {
    const last = this.#pass === 'age' ? this.#lastOfAge(row.state) : this.#now - youngMs
    return row.finishedAt <= last ? last : undefined
  }

  #lastOfAge(state: FinalState): number {
    return this.#now - this.#surroundings.settings.retentionMs[state]
  }

  /** Gives how many went. */
  async #delete(items: readonly PruneItem[]): Promise<number> {
    const { supervisor, settings } = this.#surroundings
    const reply = await supervisor.ask('prune-jobs', { items, compacts: this.#compacts })
    this.#deletedJobs[this.#pass] += reply.deletedJobs
    this.#vacuumedPages += reply.vacuumedPages
    this.#compacts ||= wantsCompaction(settings, reply)
    if (this.#pass === 'count') this.#excess -= reply.deletedJobs
    if (this.#pass === 'size') this.#excess = this.#excessBytes(reply) > 0 ? this.#jobsFor(reply) : 0
    return reply.deletedJobs
  }

  /** False: there is none. */
  #nextPass(): boolean {
    this.#cursor = 0
    this.#sureUntil = 0
    if (this.#pass === 'age') {
      this.#pass = 'count'
      this.#excess =
        this.#finishedJobs() - (this.#surroundings.settings.maxFinishedJobs ?? Number.POSITIVE_INFINITY)
      if (this.#excess > 0) return true
    }
    if (this.#pass === 'count') {
      this.#pass = 'size'
      const size = readSize(this.#surroundings.database)
      this.#excess = this.#isTooLarge() ? this.#jobsFor({ ...size, deletedJobs: 0, vacuumedPages: 0 }) : 0
      if (this.#excess > 0) return true
    }
    return false
  }

  #finishedJobs(): number {
    const jobs = this.#surroundings.database
      .prepare<[], number>(
        "SELECT coalesce(sum(jobs), 0) FROM counters WHERE state NOT IN ('QUEUED', 'SCHEDULED', 'RUNNING')",
      )
      .pluck()
      .get()
    return jobs ?? 0
  }

  /** Whether what is stored, without free pages, is over the limit. */
  #isTooLarge(): boolean {
    const { database, settings } = this.#surroundings
    const { pages, freePages } = readSize(database)
    return (
      settings.maxDatabaseBytes !== undefined && (pages - freePages) * pageBytes > settings.maxDatabaseBytes
    )
  }

  #excessBytes({ pages, freePages }: PruneReply): number {
    const limit = this.#surroundings.settings.maxDatabaseBytes ?? Number.POSITIVE_INFINITY
    return (pages - freePages) * pageBytes - limit * keptShare
  }

  /** How many jobs are to go next, so that not many more go than need to: by what a job takes on average. */
  #jobsFor(size: PruneReply): number {
    const bytesPerJob = ((size.pages - size.freePages) * pageBytes) / Math.max(1, this.#finishedJobs())
    return Math.ceil(this.#excessBytes(size) / Math.max(1, bytesPerJob))
  }
}
