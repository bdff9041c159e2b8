/**
 * What happens first when a database is opened: the jobs that were claimed when the process died.
 *
 * Nobody can say which of them ended it, so all are suspects that may have begun (see clearance.ts), and none is charged:
 * they run alone, one to a thread. If
 * the process dies again, those that were claimed then run alone in the whole engine, and only a death in that state
 * is charged. A job that dies alone twice is given up as poison. Programs are no suspects: each has a process of its own.
 * See program-deaths.ts.
 *
 * Where one of them cannot be read or changed, as where its page of the file is damaged, each gets a transaction of its
 * own. That one stays RUNNING, and is told; others run, and the next start tries again.
 */
import { toPlainError } from '../errors.ts'
import { type SkippedState, skippedStateAt } from '../job/expiration.ts'
import type { JobSeq } from '../job/id.ts'
import { traceIdOf } from '../job/traceparent.ts'
import type { InterruptedRow } from '../store/rows.ts'
import { isSkip } from '../telemetry/transition-lines.ts'
import { resumeCancels } from './cancel-matching.ts'
import { type Changes, parsePolicy, seqOf } from './changes.ts'
import { exclusiveSuspicion } from './claims.ts'
import { isPoison } from './finish.ts'
import { isEverybodys } from './group-commit.ts'
import type { EngineEvent, FailedAttempt, JobFailure } from './messages.ts'
import { diedWithProgram, ProgramDeaths, retryProgram } from './program-deaths.ts'

const processDied: JobFailure = {
  cause: 'PROCESS_DIED',
  error: {
    name: 'ProcessDied',
    message: 'The process ended while this job ran alone in it',
  },
}

/** @param runAlone has it done in a transaction of its own, or throws */
export function recover(changes: Changes, runAlone: (apply: () => void) => void): void {
  try {
    runAlone(() => {
      prepare(changes)
      recoverJobs(changes, changes.writer.interrupted.jobs())
    })
  } catch (error) {
    if (isEverybodys(error)) throw error
    recoverEach(changes, runAlone)
  }
}

function prepare(changes: Changes): void {
  const { releases } = changes.writer
  releases.releaseFromPrograms(changes.jobTypes.programs(), (row) =>
    changes.transitions?.record(row, 'SCHEDULED', 'QUEUED'),
  )
  changes.parked = releases.parkedCount()
  resumeCancels(changes)
}

function recoverJobs(changes: Changes, interrupted: readonly InterruptedRow[]): void {
  const now = changes.clock.wallMs()
  let poisoned = 0
  const deaths = new ProgramDeaths(changes)
  for (const row of interrupted) if (recoverJob(changes, row, deaths, now)) poisoned++
  deaths.keep()
  if (interrupted.length > 0) changes.report({ kind: 'recovered', interrupted: interrupted.length, poisoned })
}

function recoverEach(changes: Changes, runAlone: (apply: () => void) => void): void {
  const { writer, claims, clock } = changes
  const failures: EngineEvent[] = []
  /** False: it is damaged. */
  const attempt = (apply: () => void, row?: InterruptedRow): boolean => {
    const error = damageOf(runAlone, apply)
    if (error === undefined) return true
    const job = row && { seq: row.seq, jobType: row.jobType, traceId: traceIdOf(row.traceparent) }
    // Nobody can say which of the numbers on a page that cannot be read were running.
    if (
      job !== undefined ||
      failures.every((told) => told.kind !== 'commit-failed' || told.job !== undefined)
    )
      failures.push({ kind: 'commit-failed', error: toPlainError(error), retryInMs: undefined, job })
    return false
  }
  const ranges = writer.interrupted.ranges()
  // Before the first commit, and for good: what is left is to be found by the next start.
  for (const [first, last] of ranges) claims.keepRange(first, last)
  runAlone(() => prepare(changes))
  const deaths = new ProgramDeaths(changes)
  const rows: InterruptedRow[] = []
  const read = (first: number, last: number) => rows.push(...writer.interrupted.jobsIn(first, last))
  for (const [first, last] of ranges) {
    if (damageOf(runAlone, () => read(first, last)) === undefined) continue
    for (let seq = first; seq <= last; seq++) if (!attempt(() => read(seq, seq))) deaths.uncount(seqOf(seq))
  }
  const now = clock.wallMs()
  let recovered = 0
  let poisoned = 0
  for (const row of rows) {
    let isPoisoned = false
    const done = attempt(() => {
      isPoisoned = recoverJob(changes, row, deaths, now)
    }, row)
    if (done) recovered++
    else deaths.uncount(row.seq)
    if (done && isPoisoned) poisoned++
  }
  // Nothing runs yet: who still waits for an older run of its subject waits for one that could not be recovered.
  for (const seq of writer.releases.waitingForSubject()) attempt(() => changes.releaseNext(seq))
  // Nothing else is claimed yet.
  changes.leftRunning = writer.counters.total('RUNNING')
  runAlone(() => {
    deaths.keep()
    if (recovered > 0) changes.report({ kind: 'recovered', interrupted: recovered, poisoned })
    for (const failure of failures) changes.report(failure)
  })
}

/** What was in the way of it alone; undefined: it is done. */
function damageOf(runAlone: (apply: () => void) => void, apply: () => void): unknown {
  try {
    runAlone(apply)
    return undefined
  } catch (error) {
    if (isEverybodys(error)) throw error
    return error
  }
}

/** True: the job was given up. */
function recoverJob(changes: Changes, row: InterruptedRow, deaths: ProgramDeaths, now: number): boolean {
  const { writer } = changes
  const mayHaveBegun = writer.interrupted.mayHaveBegun(row.seq)
  const attempt = mayHaveBegun ? row.attempt : row.attempt - 1
  const end = (
    state: 'CANCELLED' | 'SUPERSEDED' | 'FAILED' | SkippedState,
    supersededBy: InterruptedRow['seq'] | null,
    failures = row.failures,
  ) => {
    changes.forgetTimes(row.seq, parsePolicy(row.policy))
    writer.jobSettle(row.seq, row.attempt, row.queue, {
      state,
      startedAt: null,
      finishedAt: now,
      result: null,
      failures,
      supersededBy,
      countedAttempt: attempt,
    })
    const log = isSkip(state) ? changes.skips : changes.transitions
    // Of a failed one the event is what is logged.
    if (state !== 'FAILED') log?.record({ ...row, attempt }, 'RUNNING', state)
  }
  const newer = newerGeneration(changes, row)
  const skipped = expiredMeanwhile(changes, row, attempt, now)
  if (row.cancelRequested !== null) {
    end('CANCELLED', null)
  } else if (newer !== undefined) {
    end('SUPERSEDED', newer)
  } else if (skipped !== undefined) {
    end(skipped, null)
  } else if (mayHaveBegun && changes.jobTypes.isProgram(row.jobType) && deaths.count(row)) {
    const delayMs = retryProgram(changes, row, now)
    const failed = diedWithProcess(row, diedWithProgram)
    if (delayMs === undefined) {
      end('FAILED', null, row.failures + 1)
      changes.report({ kind: 'job-failed', ...failed })
      return true
    }
    changes.report({ kind: 'job-retried', ...failed, state: 'SCHEDULED', delayMs })
  } else if (row.suspicion >= exclusiveSuspicion && diedAlone(changes, row, now)) {
    end('FAILED', null)
    changes.report({ kind: 'job-failed', ...diedWithProcess(row) })
    return true
  } else {
    const suspicion = mayHaveBegun ? Math.min(row.suspicion + 1, exclusiveSuspicion) : row.suspicion
    writer.jobPutBack(row.seq, row.attempt, row.queue, {
      jobType: row.jobType,
      runAt: undefined,
      attempt,
      failures: row.failures,
      suspicion,
    })
    const { waitingState: state } = changes.jobTypes.get(row.jobType)
    // Of a failed attempt the event is what is logged.
    if (row.suspicion >= exclusiveSuspicion)
      changes.report({ kind: 'job-retried', ...diedWithProcess(row), state, delayMs: 0 })
    else changes.transitions?.record({ ...row, attempt }, 'RUNNING', state)
  }
  changes.releaseNext(newer ?? null)
  return false
}

/**
 * Nobody can say whether its handler had begun, either: so a time to live goes on to count unless an earlier attempt is
 * known to have begun, and with that its row has gone.
 */
function expiredMeanwhile(
  changes: Changes,
  row: InterruptedRow,
  attempt: number,
  now: number,
): SkippedState | undefined {
  const policy = parsePolicy(row.policy)
  const ttlEndsAt = policy?.ttlEndsAt
  const isFirst = ttlEndsAt !== undefined && changes.writer.expirations.hasTtl(row.seq, ttlEndsAt)
  return skippedStateAt(policy, isFirst ? 1 : attempt + 1, now)
}

function diedWithProcess(row: InterruptedRow, failure = processDied): FailedAttempt {
  const { seq, jobType, queue, traceparent, attempt } = row
  return { seq, jobType, queue, traceId: traceIdOf(traceparent), attempt, failure, durationMs: undefined }
}

function diedAlone(changes: Changes, row: InterruptedRow, now: number): boolean {
  changes.recordAttempt(row, processDied, null, now)
  return isPoison(changes.writer.deathCount(row.seq))
}

/**
 * The latest generation, when that is a newer one. Also when it has ended already, which it can only have by being
 * cancelled: the older one had been asked to give way to it, and would not have run again either.
 */
function newerGeneration(changes: Changes, { subjectKey, generation }: InterruptedRow): JobSeq | undefined {
  const subject = subjectKey === null ? undefined : changes.writer.subjectGet(subjectKey)
  return subject !== undefined && subject.latestGeneration > (generation ?? 0) ? subject.latestSeq : undefined
}
