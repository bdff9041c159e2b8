/** When maintenance is due. Pure. */
import type { MaintenanceSettings } from '../config.ts'
import type { PlainError } from '../errors.ts'
import type { MaintenanceReason, MaintenanceTotals } from './messages.ts'

/** What is stored of the last run that came to its end. Times are wall time. */
export interface LastRun extends MaintenanceTotals {
  readonly startedAt: number
  /** When the last run began that left nothing out. */
  readonly checkedAt: number
  /** The first thing that went wrong. */
  readonly failure: PlainError | undefined
  /** How many failed one after the other, up to this one. */
  readonly failedRuns: number
  /** Size of the file at its end. */
  readonly pages: number
  /** The limit that it was made under; 0: none. */
  readonly maxDatabaseBytes: number
  /** How many have left the file at about that size over that limit, one after the other, up to this one. */
  readonly tooLargeRuns: number
}

/** How much earlier than its time a run may be, so that many engines do not all begin at once. */
const jitter = 0.1
/** A run of which something failed is tried again after this, or after the interval if that is shorter. */
const retryAfterMs = 3_600_000
/** A file that a run has left over its limit has to grow by this part before it is at once the reason for another. */
const growth = 0.1
/** Otherwise it is tried again after this, when the youngest jobs may go; then after twice as long, again and again. */
const firstRetryForSizeMs = 60_000

/** When the next run is due, in wall time. @param random in [0, 1) */
export function dueAt(
  { intervalMs }: MaintenanceSettings,
  last: LastRun | undefined,
  createdAt: number,
  now: number,
  random: number,
): number {
  const waitMs = last?.failure === undefined ? intervalMs : Math.min(intervalMs, retryAfterMs)
  // A clock that was put back must not put off the next run for longer than it should take.
  const since = Math.min(last?.checkedAt ?? createdAt, now)
  return since + waitMs * (1 - jitter * random)
}

/**
 * When the file is the reason for a run, in wall time; undefined: it is not over its limit. What the last run has left over
 * it may have been too young to go, or is of jobs that live: the longer that lasts, the more seldom it is looked at.
 */
export function dueForSizeAt(
  settings: MaintenanceSettings,
  last: LastRun | undefined,
  pages: number,
  pageBytes: number,
  now: number,
): number | undefined {
  const { maxDatabaseBytes, intervalMs } = settings
  if (!isOver(maxDatabaseBytes, pages, pageBytes)) return undefined
  if (last === undefined || last.maxDatabaseBytes !== maxDatabaseBytes) return now
  const wasTooLarge = isOver(maxDatabaseBytes, last.pages, pageBytes)
  if (!wasTooLarge || pages > last.pages * (1 + growth)) return now
  // What failed is tried again in its own time.
  if (last.failure !== undefined) return undefined
  const waitMs = Math.min(intervalMs, firstRetryForSizeMs * 2 ** (Math.max(1, last.tooLargeRuns) - 1))
  return Math.min(last.startedAt, now) + waitMs
}

function isOver(maxDatabaseBytes: number | undefined, pages: number, pageBytes: number): boolean {
  return maxDatabaseBytes !== undefined && pages * pageBytes > maxDatabaseBytes
}

/** What is to be remembered of the size in which a run leaves the file. */
export function sizeLeft(
  { maxDatabaseBytes }: MaintenanceSettings,
  last: LastRun | undefined,
  pages: number,
  pageBytes: number,
): Pick<LastRun, 'pages' | 'maxDatabaseBytes' | 'tooLargeRuns'> {
  const isSame =
    last !== undefined &&
    last.maxDatabaseBytes === maxDatabaseBytes &&
    Math.abs(pages - last.pages) <= last.pages * growth
  const isTooLarge = isOver(maxDatabaseBytes, pages, pageBytes)
  const tooLargeRuns = isTooLarge ? 1 + (isSame ? last.tooLargeRuns : 0) : 0
  return { pages, maxDatabaseBytes: maxDatabaseBytes ?? 0, tooLargeRuns }
}

/**
 * A file that grows fast is made smaller again and again: to read all of it each time would keep the disk busy. But a run
 * after one that failed does all that may have failed.
 */
export function checksIntegrity(reason: MaintenanceReason, last: LastRun | undefined): boolean {
  return reason !== 'size' || last?.failure !== undefined
}

export function encodeLastRun(run: LastRun): string {
  return JSON.stringify(run)
}

/** Undefined too when it is not what this version would have written. */
export function decodeLastRun(text: string | undefined): LastRun | undefined {
  if (text === undefined) return undefined
  try {
    // The boundary: nobody else writes it, but a version of the engine may have that comes after this one.
    const run = JSON.parse(text) as Partial<Record<keyof LastRun, unknown>>
    const number = (value: unknown): number => (typeof value === 'number' && value >= 0 ? value : 0)
    const failure = isPlainError(run.failure) ? run.failure : undefined
    return {
      startedAt: number(run.startedAt),
      checkedAt: number(run.checkedAt),
      deletedJobs: number(run.deletedJobs),
      deletedEarly: number(run.deletedEarly),
      deletedArtifacts: number(run.deletedArtifacts),
      reclaimedBytes: number(run.reclaimedBytes),
      elapsedMs: number(run.elapsedMs),
      pages: number(run.pages),
      maxDatabaseBytes: number(run.maxDatabaseBytes),
      tooLargeRuns: number(run.tooLargeRuns),
      failure,
      // What was stored before they were counted failed at least once.
      failedRuns: failure === undefined ? 0 : Math.max(1, number(run.failedRuns)),
    }
  } catch {
    return undefined
  }
}

function isPlainError(value: unknown): value is PlainError {
  return typeof value === 'object' && value !== null && 'name' in value && 'message' in value
}
