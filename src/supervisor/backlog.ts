/**
 * What the supervisor does by itself in each cycle: makes jobs claimable whose time has come, and turns backlog into
 * claims, as far as the threads can use them soon.
 */
import { limits } from '../config.ts'
import { lowestPriority } from '../job/spec.ts'
import { traceIdOf } from '../job/traceparent.ts'
import type { Lane } from '../store/lanes.ts'
import type { ClaimedRow } from '../store/rows.ts'
import { cancelSlice, SkippedRows } from './cancel-matching.ts'
import { type Changes, parsePolicy } from './changes.ts'
import { exclusiveSuspicion } from './claims.ts'
import { expireDue } from './expire.ts'
import type { JobType } from './job-types.ts'

/** Claims at most this much payload at a time, so that a cycle stays short. */
const charactersPerClaim = 16_000_000

/**
 * One bounded step; the next cycle goes on.
 *
 * @param othersWait whether somebody waits for this commit: then what can wait makes it little longer
 */
export function advance(changes: Changes, othersWait: boolean): void {
  seeToDue(changes, othersWait ? 0 : limits.dueSliceMs)
  claimBacklog(changes)
  if (changes.maySlice) cancelSlice(changes, othersWait ? limits.shortCancelSliceMs : limits.cancelSliceMs)
}

/** Ends or promotes some of those whose time has come, for about `sliceMs`: many may have the same. */
function seeToDue(changes: Changes, sliceMs: number): void {
  const { dueAt, writer, clock } = changes
  const now = clock.wallMs()
  if (dueAt === undefined || dueAt > now) return
  const endMs = clock.monotonicMs() + sliceMs
  let most: number
  do {
    const expired = expireDue(changes, now, limits.duePerStep)
    const promoted = writer.releases.promoteDue(now, limits.duePerStep)
    changes.recordReleased(promoted)
    most = Math.max(expired, promoted.length)
  } while (most === limits.duePerStep && clock.monotonicMs() < endMs)
  changes.dueAt = writer.releases.nextDue()
}

/** Whether a step would change anything. */
export function canAdvance(changes: Changes): boolean {
  const { admits, dueAt, writer, claims, programs, suspects, suspectsMayWait } = changes
  if (!admits) return false
  if (changes.maySlice || claims.ready.needsCommit) return true
  if (dueAt !== undefined && dueAt <= changes.clock.wallMs()) return true
  if (suspects.exclusive > 0) return claims.active === 0
  // One that runs alone is waited for: its end is a command.
  if (claims.hasSuspects(exclusiveSuspicion)) return false
  if (programs.mayHoldMore && programs.room > 0) return true
  const queued = writer.counters.total('QUEUED')
  if (queued === 0) return false
  if (suspectsMayWait && claims.active === 0) return true
  if (suspects.all > 0 && claims.suspects(1) < changes.threads && claims.roomMs(changes.threads) > 0)
    return true
  return queued > suspects.all && !changes.isAllHeld && roomMsFor(changes, queued - suspects.all) > 0
}

/**
 * How much of a backlog may be claimed: what the threads can use soon. A little one may go whole, as if it came only now:
 * while any of it is left all that comes has to wait behind it, which costs twice as much, and an engine that has fallen
 * behind for a moment would never catch up.
 */
function roomMsFor({ claims, threads }: Changes, backlog: number): number {
  const isLittle = claims.active + backlog <= threads * limits.newJobsPerThread
  return isLittle ? claims.roomMs(threads, limits.newJobsPerThread) : claims.roomMs(threads)
}

function claimBacklog(changes: Changes): void {
  if (!changes.admits) return
  claimSuspects(changes)
  if (changes.suspects.exclusive > 0 || changes.claims.hasSuspects(exclusiveSuspicion)) return
  claimPrograms(changes)
  const backlog = changes.writer.counters.total('QUEUED') - changes.suspects.all
  const roomMs = backlog <= 0 ? 0 : roomMsFor(changes, backlog)
  if (roomMs <= 0) return
  const most = limits.batchesPerThread * changes.threads * limits.batchJobs
  let leftMs = roomMs
  // Costs differ by type, and the types are seen while the backlog is read.
  const left = claimWhile(changes, 'trusted', (jobType, claimed) => {
    // One that nobody serves takes no thread's time: it is parked. Nor does a program.
    if (jobType.isServed) leftMs -= jobType.estimateMs
    return leftMs > 0 && claimed < most
  })
  if (left === 'held') changes.foundAllHeld()
}

/** As many as may run: those that wait longer do so where everything is seen to that may become of them. */
function claimPrograms(changes: Changes): void {
  const { programs } = changes
  programs.clearSuspects()
  const { room } = programs
  if (room === 0 || !programs.mayHoldMore) return
  const left = claimWhile(changes, 'programs', (_jobType, claimed) => claimed < room)
  if (left !== 'more') programs.clear()
}

/** Whatever their priority: others wait for what they will show, and they are few. */
function claimSuspects(changes: Changes): void {
  if (!changes.suspectsMayWait) return
  const { claims, suspects } = changes
  if (suspects.all === 0) {
    changes.suspectsMayWait = claims.hasSuspects(1)
    return
  }
  if (suspects.exclusive > 0) {
    if (claims.active > 0) return
    claimWhile(changes, 'exclusive', () => false)
  } else if (!claims.hasSuspects(exclusiveSuspicion)) {
    const free = changes.threads - claims.suspects(1)
    if (free > 0) claimWhile(changes, 'suspects', (_jobType, claimed) => claimed < free)
  }
}

function claimWhile(
  changes: Changes,
  lane: Lane,
  wantsMore: (jobType: JobType, claimed: number) => boolean,
): 'more' | 'held' | 'none' {
  const { writer, claims } = changes
  const misplaced: ClaimedRow[] = []
  const isSuspect = lane === 'suspects' || lane === 'exclusive'
  const leastPriority = isSuspect ? lowestPriority : changes.leastPriority
  const skipped = changes.cancelRequests.length > 0 ? new SkippedRows(changes, lane) : undefined
  const take = (row: ClaimedRow, claimed: number) => {
    const jobType = changes.jobTypes.get(row.jobType)
    if (lane !== 'programs') changes.suspects.left(row.suspicion)
    if (jobType.isServed && jobType.isProgram === (lane === 'programs')) {
      claims.make(row, jobType, parsePolicy(row.policy))
      changes.transitions?.record(row, jobType.waitingState, 'RUNNING')
    } else {
      misplaced.push(row)
    }
    return wantsMore(jobType, claimed)
  }
  const left = writer.backlogClaim(lane, charactersPerClaim, leastPriority, take, skipped)
  skipped?.end()
  const from = lane === 'programs' ? 'SCHEDULED' : 'QUEUED'
  for (const row of misplaced) replace(changes, row, from)
  return left
}

/** Has a job wait for what it needs: an engine that serves it, or, where its type has become a program, its turn as one. */
function replace(changes: Changes, row: ClaimedRow, from: 'QUEUED' | 'SCHEDULED'): void {
  const { seq, queue, failures, suspicion, traceparent } = row
  const attempt = row.attempt - 1
  const jobType = changes.jobTypes.get(row.jobType)
  const state = jobType.isServed ? jobType.waitingState : 'SCHEDULED'
  if (from !== state) changes.transitions?.record({ ...row, attempt }, from, state)
  if (jobType.isServed) {
    const back = { jobType: row.jobType, runAt: undefined, attempt, failures, suspicion }
    changes.writer.jobPutBack(seq, row.attempt, queue, back)
    if (!jobType.isProgram) changes.suspects.came(suspicion)
    return
  }
  changes.writer.releases.park(seq, row.attempt, queue)
  changes.parked++
  const traceId = traceIdOf(traceparent)
  changes.report({ kind: 'job-without-handler', seq, jobType: row.jobType, traceId })
}
