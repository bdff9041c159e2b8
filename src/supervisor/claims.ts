/**
 * The jobs that are claimed, in memory: the twin of what the database has as RUNNING.
 *
 *   made in a transaction ──► ready ──► dispatched ──► ended
 *            │                  ▲           │
 *            └──── held ◄───────┴───────────┘  taken back, to be ended, put back or dispatched anew
 *
 * Changes are journaled, since the transaction that they belong to may be rolled back: a claim made in it is
 * forgotten, one that ended in it is there again, and one taken back in it (which shared memory cannot undo) becomes
 * ready to be dispatched anew. A claim becomes ready only with the commit: a handler never starts before its attempt
 * is durable.
 */
import { limits } from '../config.ts'
import { assert } from '../errors.ts'
import type { JobSeq } from '../job/id.ts'
import { defaultQueue } from '../job/spec.ts'
import { BlockRanges } from '../store/ranges.ts'
import type { JobPolicy } from '../store/rows.ts'
import type { DispatchedBatch } from './batch.ts'
import { ClaimTable } from './claim-table.ts'
import { Clearance } from './clearance.ts'
import type { JobType } from './job-types.ts'
import { ReadyQueue } from './ready-queue.ts'

/** From this degree of suspicion on a job runs alone in the whole engine. */
export const exclusiveSuspicion = 2

type Place = 'made' | 'ready' | 'dispatched' | 'held' | 'gone'

export interface Claim {
  readonly seq: JobSeq
  readonly jobType: JobType
  readonly queue: string
  readonly priority: number
  readonly payload: string
  /** Wall time; 0: metrics are off, and nobody wants to know. */
  readonly createdAt: number
  readonly attempt: number
  readonly failures: number
  readonly suspicion: number
  readonly subjectKey: string | null
  readonly generation: number | null
  readonly policy: JobPolicy | undefined
  /** The span that its job was enqueued in. */
  readonly traceparent: string | null
  readonly estimateMs: number
  /** Whether it may begin once what is under way is committed. */
  isCleared: boolean
  place: Place
  /** Where it was when it ended, for a rollback. */
  endedFrom: Place
  /** Where it is, while dispatched. */
  batch: DispatchedBatch | undefined
  index: number
  /** What has been decided about it while it runs. Replaced as a whole, so that a rollback can bring back the old. */
  fate: Fate
  /** Monotonic time at which its signal was fired; 0: not fired. */
  abortedAtMs: number
  /** It did not give way within its grace: its thread is being ended for it. */
  isCondemned: boolean
  /** What becomes of it is decided, and could not be recorded so far: nobody else decides, and it takes no place. */
  isSetAside: boolean
}

export interface Fate {
  /** The newer generation that waits for this one to end. */
  readonly supersededBy: JobSeq | null
  readonly cancelRequested: boolean
}

const noFate: Fate = { supersededBy: null, cancelRequested: false }

/** What a claim is made of: a row that was just inserted as running, or one of the backlog. */
export type ClaimSource = Pick<
  Claim,
  | 'seq'
  | 'queue'
  | 'priority'
  | 'payload'
  | 'createdAt'
  | 'attempt'
  | 'failures'
  | 'suspicion'
  | 'subjectKey'
  | 'generation'
  | 'traceparent'
>

/**
 * What was done to a claim, and what it takes to undo that. What happens to every job is journaled without an object of
 * its own: a claim that stands there by itself was made or ended.
 */
type Change =
  | Claim
  | { readonly kind: 'held'; readonly claim: Claim; readonly before: Place }
  | { readonly kind: 'doomed'; readonly claim: Claim; readonly before: Fate }

export interface ClaimSettings {
  /** Of the pool. Default: any number. */
  readonly threads?: number
  /** How many claims may have begun, or be about to, before others have to wait for a further commit. */
  readonly clearedPerThread?: number
  /** Whether claims remember when their jobs were enqueued. Default: no. */
  readonly keepsTimes?: boolean
}

export class Claims {
  readonly #keepsTimes: boolean
  readonly #claims = new ClaimTable()
  readonly #blocks = new BlockRanges()
  readonly #clearance: Clearance
  readonly ready = new ReadyQueue()
  #journal: Change[] = []
  #estimatedMs = 0
  #characters = 0
  #setAside = 0
  /** Claims of jobs that are programs: these take nothing of a thread's time, and are counted apart. */
  #programs = 0
  #programCharacters = 0
  /** Claims by their degree of suspicion. */
  readonly #bySuspicion = [0, 0, 0]

  constructor({
    threads = Number.POSITIVE_INFINITY,
    clearedPerThread = limits.clearedJobsPerThread,
    keepsTimes = false,
  }: ClaimSettings = {}) {
    this.#clearance = new Clearance(threads * clearedPerThread)
    this.#keepsTimes = keepsTimes
  }

  get size(): number {
    return this.#claims.size
  }

  /** How many are neither ended nor set aside. */
  get active(): number {
    return this.#claims.size - this.#setAside
  }

  get(seq: number): Claim | undefined {
    return this.#claims.get(seq)
  }

  /** Ranges of job numbers in which every claim is, as the database keeps them. */
  ranges(): string {
    return this.#blocks.encode()
  }

  /** To be called when all that a commit changes is made: decides which of many may begin after it. */
  clear(): void {
    this.#clearance.choose(this.#inTurn(), this.#others)
  }

  /** Ranges of job numbers in which no claim is that has begun, or will before the next commit. */
  uncleared(): string {
    return this.#clearance.encode(this.#blocks)
  }

  /** Has these stay among the ranges: what of them was running and cannot be recovered has no claim. */
  keepRange(first: number, last: number): void {
    for (let seq = first; seq <= last; seq++) this.#blocks.add(seq)
  }

  all(): Iterable<Claim> {
    return this.#claims.all()
  }

  /**
   * How many more milliseconds of work may be claimed for `threads` threads. At least a job a thread always may.
   *
   * @param jobsPerThread no more where so many are claimed for each thread
   */
  roomMs(threads: number, jobsPerThread = limits.batchesPerThread * limits.batchJobs): number {
    if (this.#characters - this.#programCharacters >= maxClaimedCharacters) return 0
    if (this.#setAside >= maxSetAside) return 0
    const others = this.#others
    if (others >= threads * jobsPerThread) return 0
    const room = threads * limits.batchesPerThread * limits.batchMs - this.#estimatedMs
    return others < threads * 2 ? Math.max(room, Number.MIN_VALUE) : room
  }

  /** How many more programs may be claimed where so many may run at a time. */
  roomForPrograms(concurrency: number): number {
    if (this.#programCharacters >= maxClaimedCharacters || this.#setAside >= maxSetAside) return 0
    return Math.max(concurrency - this.#programs, 0)
  }

  make(source: ClaimSource, jobType: JobType, policy: JobPolicy | undefined): void {
    const claim: Claim = {
      seq: source.seq,
      jobType,
      // Each row brings a text of its own, which nearly always says the same.
      queue: source.queue === defaultQueue ? defaultQueue : source.queue,
      priority: source.priority,
      payload: source.payload,
      // A number as large as this would be an object of its own for each job.
      createdAt: this.#keepsTimes ? source.createdAt : 0,
      attempt: source.attempt,
      failures: source.failures,
      suspicion: source.suspicion,
      subjectKey: source.subjectKey,
      generation: source.generation,
      policy,
      traceparent: source.traceparent,
      estimateMs: jobType.estimateMs,
      isCleared: source.suspicion > 0 || jobType.isProgram || this.#clearance.hasRoom(this.#others),
      place: 'made',
      endedFrom: 'made',
      batch: undefined,
      index: 0,
      fate: noFate,
      abortedAtMs: 0,
      isCondemned: false,
      isSetAside: false,
    }
    this.#remember(claim)
    this.#journal.push(claim)
  }

  /** The claim is settled or put back. */
  end(claim: Claim): void {
    assert(claim.place !== 'gone', 'a claim ends once')
    claim.endedFrom = claim.place
    this.#journal.push(claim)
    this.#forget(claim)
  }

  /** Takes a claim whose handler has not begun out of the way of the threads. False: it has begun. */
  hold(claim: Claim): boolean {
    const before = claim.place
    switch (before) {
      case 'made':
      case 'ready':
      case 'held':
        break
      case 'dispatched':
        if (claim.batch === undefined || !claim.batch.takeBack(claim)) return false
        break
      case 'gone':
        return false
    }
    claim.place = 'held'
    this.#journal.push({ kind: 'held', claim, before })
    return true
  }

  /** Records what is to become of a running job. */
  doom(claim: Claim, fate: Partial<Fate>): void {
    this.#journal.push({ kind: 'doomed', claim, before: claim.fate })
    claim.fate = { ...claim.fate, ...fate }
  }

  /** For good, and whatever is rolled back: its handler has ended, or is not to begin. */
  setAside(claim: Claim): void {
    if (claim.isSetAside) return
    const isThere = claim.place !== 'gone'
    if (isThere) this.#countPlace(claim, -1)
    claim.isSetAside = true
    if (isThere) this.#countPlace(claim, 1)
  }

  /** Whether its handler has not begun. */
  isWaiting(claim: Claim): boolean {
    if (claim.place !== 'dispatched') return claim.place !== 'gone'
    return claim.batch?.control.isWaiting(claim.index) ?? false
  }

  /** How many claims are suspect to this degree at least. */
  suspects(minimumSuspicion: number): number {
    let count = 0
    for (let degree = minimumSuspicion; degree <= exclusiveSuspicion; degree++) {
      count += this.#bySuspicion[degree] ?? 0
    }
    return count
  }

  hasSuspects(minimumSuspicion: number): boolean {
    return this.suspects(minimumSuspicion) > 0
  }

  mark(): number {
    return this.#journal.length
  }

  rollbackTo(mark: number): void {
    while (this.#journal.length > mark) {
      const change = this.#journal.pop()
      if (change === undefined) break
      if (!('kind' in change)) this.#undo(change)
      else if (change.kind === 'held') this.#letGo(change.claim, change.before)
      else change.claim.fate = change.before
    }
    this.#clearance.rolledBack()
  }

  /** Goes backwards: of a claim that was made and ended, the end comes first. */
  #undo(claim: Claim): void {
    if (claim.place !== 'gone') {
      this.#forget(claim)
      return
    }
    this.#remember(claim)
    claim.place = claim.endedFrom
  }

  /** What was made, or held and not ended, is ready now. */
  committed(): void {
    for (const change of this.#journal) {
      if (!('kind' in change)) {
        // Ended ones are gone.
        if (change.place === 'made' || change.place === 'held') this.#makeReady(change)
      } else if (change.kind === 'held' && change.claim.place === 'held') {
        this.#letGo(change.claim, change.before)
      }
    }
    this.#journal = []
    this.#clearance.committed()
  }

  /** Gives back to the front what was taken back outside a transaction. */
  giveBack(claims: readonly Claim[]): void {
    for (const claim of claims) claim.place = 'ready'
    this.ready.giveBack(claims)
  }

  /** How many take a thread's time, or will. */
  get #others(): number {
    return this.active - this.#programs
  }

  /** Those that are ready, and will be with the commit, but for those that were held in it. */
  *#inTurn(): Iterable<Claim> {
    yield* this.ready.inTurn()
    for (const change of this.#journal) if (!('kind' in change) && change.place === 'made') yield change
  }

  #remember(claim: Claim): void {
    this.#claims.add(claim)
    this.#blocks.add(claim.seq)
    this.#clearance.add(claim)
    this.#countCharacters(claim, 1)
    this.#countPlace(claim, 1)
  }

  #forget(claim: Claim): void {
    if (!this.#claims.remove(claim)) return
    this.#blocks.remove(claim.seq)
    this.#clearance.remove(claim)
    this.#countCharacters(claim, -1)
    this.#countPlace(claim, -1)
    if (this.active === 0) this.#estimatedMs = 0
    claim.place = 'gone'
  }

  #countCharacters({ jobType, payload }: Claim, sign: 1 | -1): void {
    const characters = sign * payload.length
    if (jobType.isProgram) this.#programCharacters += characters
    this.#characters += characters
  }

  #countPlace(claim: Claim, sign: 1 | -1): void {
    if (claim.isSetAside) {
      this.#setAside += sign
      return
    }
    this.#estimatedMs += sign * claim.estimateMs
    if (claim.jobType.isProgram) this.#programs += sign
    this.#bySuspicion[claim.suspicion] = (this.#bySuspicion[claim.suspicion] ?? 0) + sign
  }

  /** A claim that was held goes back to where it was. One that was ready has kept its turn: it must not get another. */
  #letGo(claim: Claim, before: Place): void {
    if (before === 'dispatched') this.#makeReady(claim)
    else claim.place = before
  }

  #makeReady(claim: Claim): void {
    claim.place = 'ready'
    claim.batch = undefined
    this.ready.add(claim)
  }
}

/** Payloads that claims may hold in memory at a time. */
const maxClaimedCharacters = 64_000_000
/** From so many on that are set aside nothing more is claimed: it could not be recorded either, and all are kept in memory. */
const maxSetAside = 1_000
