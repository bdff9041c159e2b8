/**
 * Cancels many jobs, chosen by what they have in common.
 *
 *   asked for ──► recorded with the highest job number, claims ended or asked ──► slices ──► row removed, answered
 *
 * From the commit that records the request on, nothing that it matches starts: what is claimed is ended or asked to give
 * way in the same transaction, and a claim ends what matches instead of making it run. What waits is then ended in
 * slices, each of them the last thing in its cycle, so that others are served meanwhile. A restart goes on from the
 * cursor of the last slice.
 */
import { limits } from '../config.ts'
import { engineError } from '../errors.ts'
import { type JobCriteria, matchesCriteria } from '../job/criteria.ts'
import type { WaitsFor } from '../job/state.ts'
import type { ExaminedRow, WalkCursor } from '../store/cancel-writer.ts'
import type { Lane } from '../store/lanes.ts'
import { decodeRanges } from '../store/ranges.ts'
import type { LabelledClaimRow, WaitingRow } from '../store/rows.ts'
import { askToGiveWay, cancelHeld } from './cancel.ts'
import type { CancelRequest } from './cancel-request.ts'
import { requestFor } from './cancel-request.ts'
import type { Changes } from './changes.ts'
import type { Claim } from './claims.ts'
import type { CancelReport } from './messages.ts'

/**
 * Records the request, and sees to what is claimed. `answer` is called once all of it is done.
 *
 * @throws OVERLOADED
 */
export function requestCancel(
  changes: Changes,
  criteria: JobCriteria,
  answer: (report: CancelReport) => void,
): void {
  const { writer } = changes
  if (changes.cancelRequests.length >= limits.cancelsUnderway) {
    throw engineError('OVERLOADED', {
      found: `${limits.cancelsUnderway.toLocaleString('en')} cancels by criteria are under way`,
      action: 'Wait for some of them, and try again.',
    })
  }
  const now = changes.clock.wallMs()
  const held: Claim[] = []
  let running = 0
  for (const claim of claimsMatching(changes, criteria)) {
    if (changes.claims.hold(claim)) {
      held.push(claim)
    } else {
      askToGiveWay(changes, claim, now)
      running++
    }
  }
  cancelHeld(changes, held, now)
  const stored = writer.cancels.requestInsert(criteria, now, writer.lastSeq)
  changes.cancelRequests = [...changes.cancelRequests, { ...stored, waiting: held.length, running, answer }]
}

/** Goes on with the requests of a process that has ended. */
export function resumeCancels(changes: Changes): void {
  changes.cancelRequests = changes.writer.cancels
    .requests()
    .map((stored) => ({ ...stored, waiting: 0, running: 0, answer: undefined }))
}

/**
 * Ends some jobs of one request, for about `sliceMs` and a bounded number in any case. Requests take turns, so that none
 * waits for a long one to end.
 */
export function cancelSlice(changes: Changes, sliceMs: number): void {
  const [request, ...others] = changes.cancelRequests
  if (request === undefined) return
  const { cancels } = changes.writer
  const endMs = changes.clock.monotonicMs() + sliceMs
  let step = cancelStep(changes, request)
  let { waiting } = step
  while (step.cursor !== undefined && changes.clock.monotonicMs() < endMs) {
    step = cancelStep(changes, { ...request, cursor: step.cursor })
    waiting += step.waiting
  }
  const { cursor } = step
  const report = { waiting: request.waiting + waiting, running: request.running }
  if (cursor === undefined) {
    cancels.requestDelete(request.id)
    changes.cancelRequests = others
    changes.afterCommit(() => request.answer?.(report))
  } else {
    cancels.requestAdvance(request.id, cursor)
    changes.cancelRequests = [...others, { ...request, ...report, cursor }]
  }
}

/** To look at a job takes this part of what it takes to end it. */
const lookShare = 1 / 8

/** Looks at some jobs and ends those that match. Without a cursor it has come to the end. */
function cancelStep(
  changes: Changes,
  request: CancelRequest,
): { readonly cursor: WalkCursor | undefined; readonly waiting: number } {
  const { criteria, lastSeq } = request
  const { clock, cancelSteps } = changes
  const startMs = clock.monotonicMs()
  const most = cancelSteps.size
  const found: WaitingRow[] = []
  let examined = 0
  let cursor: WalkCursor | undefined
  for (const row of changes.writer.cancels.walk(request)) {
    if (row.seq <= lastSeq && isWaiting(row) && matchesCriteria(criteria, row)) found.push(row)
    if (++examined * lookShare + found.length >= most) {
      cursor = cursorAt(row)
      break
    }
  }
  endWaiting(changes, found)
  if (cursor !== undefined) cancelSteps.took(clock.monotonicMs() - startMs)
  return { cursor, waiting: found.length }
}

/** Takes out of a claim what is not to start, and ends it once the claim has read what it wants. */
export class SkippedRows {
  readonly #changes: Changes
  readonly #rows: WaitingRow[] = []
  readonly #waiting = new Map<CancelRequest, number>()
  readonly #waitsFor: WaitsFor

  constructor(changes: Changes, lane: Lane) {
    this.#changes = changes
    this.#waitsFor = lane === 'programs' ? 'program' : 'turn'
  }

  /** True: the row is not to be claimed. */
  skips(row: LabelledClaimRow): boolean {
    const request = requestFor(this.#changes.cancelRequests, row)
    if (request === undefined) return false
    this.#waiting.set(request, (this.#waiting.get(request) ?? 0) + 1)
    const { seq, suspicion, jobType, queue, subjectKey } = row
    this.#rows.push({
      seq,
      waitsFor: this.#waitsFor,
      suspicion,
      jobType,
      queue,
      subjectKey,
      attempt: row.attempt - 1,
      traceparent: row.traceparent,
    })
    return true
  }

  get isFull(): boolean {
    return this.#rows.length >= this.#changes.cancelSteps.size
  }

  end(): void {
    if (this.#rows.length === 0) return
    endWaiting(this.#changes, this.#rows)
    this.#changes.cancelRequests = this.#changes.cancelRequests.map((request) => {
      const skipped = this.#waiting.get(request)
      return skipped === undefined ? request : { ...request, waiting: request.waiting + skipped }
    })
  }
}

function endWaiting(changes: Changes, rows: readonly WaitingRow[]): void {
  const { writer } = changes
  writer.cancels.endWaiting(rows, changes.clock.wallMs())
  for (const row of rows) {
    if (row.waitsFor === 'handler') changes.parked--
    if (row.waitsFor === 'turn') changes.suspects.left(row.suspicion)
    changes.reportCancelled(row)
  }
}

/** The list is whole before any of them is changed. */
function claimsMatching(changes: Changes, criteria: JobCriteria): Claim[] {
  const { claims, writer } = changes
  const found: Claim[] = []
  const { userTag, chainGroupId } = criteria
  if (userTag === undefined && chainGroupId === undefined) {
    for (const claim of claims.all()) {
      const { queue, subjectKey, jobType } = claim
      const facts = { queue, subjectKey, jobType: jobType.name, userTag: null, chainGroupId: null }
      if (matchesCriteria(criteria, facts)) found.push(claim)
    }
    return found
  }
  // Claims do not hold the labels, which few jobs have: they are asked of the index, near the claims' numbers.
  for (const [first, last] of decodeRanges(claims.ranges())) {
    for (const row of writer.cancels.labelled(criteria, first - 1, last) ?? []) {
      const claim = claims.get(row.seq)
      if (claim !== undefined && matchesCriteria(criteria, row)) found.push(claim)
    }
  }
  return found
}

function isWaiting(row: ExaminedRow): row is ExaminedRow & WaitingRow {
  return row.waitsFor !== null
}

function cursorAt({ seq, waitsFor, runAt, suspicion, priority }: ExaminedRow): WalkCursor {
  return waitsFor === null ? { seq } : { seq, waitsFor, runAt, suspicion, priority }
}
