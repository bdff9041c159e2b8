/**
 * Decides from one look at the engine after another whether something is wrong enough to tell somebody.
 *
 *          found is over the threshold
 *   calm ──────────────────────────────► active
 *     ▲                                    │
 *     └── found is below the lower bound ──┘
 *
 * Between the two bounds an alert stays what it is, so that a value around its threshold does not raise it again and
 * again. What cannot be found changes nothing.
 */
import type { AlertSettings } from '../config.ts'

export const alertKinds = ['disk-use', 'failure-rate', 'queue-stalled', 'maintenance-failed'] as const

/**
 * | kind | `found` and `threshold` |
 * |---|---|
 * | `disk-use` | how full the disk is that the database is on, in percent |
 * | `failure-rate` | jobs that ended as FAILED, of those that did so or as DONE lately, in percent |
 * | `queue-stalled` | for how long the queue has begun none of the jobs that wait in it, but for throttled times, in milliseconds |
 * | `maintenance-failed` | runs of the maintenance that failed since one was completed |
 */
export type AlertKind = (typeof alertKinds)[number]

export interface Alert {
  readonly kind: AlertKind
  /** Which queue stands still. */
  readonly queue: string | undefined
  readonly found: number
  /** What `found` is over. */
  readonly threshold: number
  /** When it was first seen to be. */
  readonly since: Date
}

export interface AlertFacts {
  /** Undefined: the disk does not tell. */
  readonly diskUsedPercent: number | undefined
  /** Jobs that ended so since the start. */
  readonly done: number
  readonly failed: number
  readonly queues: readonly QueueProgress[]
  /** Whether jobs are held back on purpose: then a queue may well stand still. */
  readonly isThrottled: boolean
  readonly failedMaintenanceRuns: number
}

export interface QueueProgress {
  readonly queue: string
  /** Jobs that could begin: queued, or claimed and not begun. */
  readonly waiting: number
  /** Tells whether one has begun: it differs then from what it was. */
  readonly began: number
}

export interface AlertState {
  readonly active: readonly Alert[]
  /** What had ended by when, the oldest first; the first is from before the window, or from its beginning. */
  readonly endings: readonly Ending[]
  /** By queue: for how long it has not begun any of the jobs that wait in it. */
  readonly standstills: ReadonlyMap<string, Standstill>
  /** When this was found. */
  readonly lookedAtMs: number
}

interface Ending {
  readonly atMs: number
  readonly done: number
  readonly failed: number
}

interface Standstill {
  readonly began: number
  /** Without the time in which jobs were held back. */
  readonly forMs: number
}

export const noAlerts: AlertState = { active: [], endings: [], standstills: new Map(), lookedAtMs: 0 }

/** How far below its threshold a percentage has to come, in points; half of the threshold at the most. */
const returnPercent = 5
/** Endings are kept at so many moments of the window: it is that much longer at the most. */
const momentsPerWindow = 60

interface Reading {
  readonly kind: AlertKind
  readonly queue: string | undefined
  readonly found: number
  readonly threshold: number
  readonly verdict: 'over' | 'between' | 'below'
}

export interface Evaluation {
  readonly state: AlertState
  readonly raised: readonly Alert[]
  readonly resolved: readonly (Alert & { readonly activeForMs: number })[]
}

/** @param now both times: what is told is wall time, what is measured is monotonic */
export function evaluateAlerts(
  before: AlertState,
  facts: AlertFacts,
  now: { readonly wallMs: number; readonly monotonicMs: number },
  settings: AlertSettings,
): Evaluation {
  const endings = nextEndings(before.endings, facts, now.monotonicMs, settings.failureWindowMs)
  const standstills = nextStandstills(before, facts, now.monotonicMs)
  const readings = [
    readDisk(facts, settings),
    readFailures(endings, facts, settings),
    readMaintenance(facts),
    ...facts.queues.map(({ queue }) => readQueue(queue, standstills.get(queue), settings)),
  ]
  const raised: Alert[] = []
  const resolved: (Alert & { readonly activeForMs: number })[] = []
  const active = before.active.filter((alert) => {
    const reading = readings.find((one) => isSame(one, alert))
    // A queue that is no more stands still no more.
    if (reading !== undefined && reading.verdict !== 'below') return true
    const activeForMs = now.wallMs - alert.since.getTime()
    resolved.push({ ...alert, found: reading?.found ?? 0, activeForMs })
    return false
  })
  for (const { verdict, ...facts } of readings) {
    if (verdict !== 'over' || active.some((alert) => isSame(alert, facts))) continue
    raised.push({ ...facts, since: new Date(now.wallMs) })
  }
  const lookedAtMs = now.monotonicMs
  return { state: { active: [...active, ...raised], endings, standstills, lookedAtMs }, raised, resolved }
}

function isSame(one: Pick<Alert, 'kind' | 'queue'>, other: Pick<Alert, 'kind' | 'queue'>): boolean {
  return one.kind === other.kind && one.queue === other.queue
}

function readDisk({ diskUsedPercent }: AlertFacts, { diskPercent }: AlertSettings): Reading {
  return {
    kind: 'disk-use',
    queue: undefined,
    found: diskUsedPercent ?? 0,
    threshold: diskPercent,
    verdict: diskUsedPercent === undefined ? 'between' : verdictOf(diskUsedPercent, diskPercent),
  }
}

function verdictOf(foundPercent: number, thresholdPercent: number): Reading['verdict'] {
  if (foundPercent > thresholdPercent && thresholdPercent < 100) return 'over'
  return foundPercent < thresholdPercent - Math.min(returnPercent, thresholdPercent / 2) ? 'below' : 'between'
}

function nextEndings(
  before: readonly Ending[],
  { done, failed }: AlertFacts,
  nowMs: number,
  windowMs: number,
): readonly Ending[] {
  const [first = { atMs: nowMs, done: 0, failed: 0 }, ...rest] = before
  const endings = [first, ...rest]
  const lastMs = endings.at(-1)?.atMs ?? nowMs
  if (nowMs - lastMs >= windowMs / momentsPerWindow) endings.push({ atMs: nowMs, done, failed })
  // The newest of those from before the window is what is counted from.
  const start = endings.findLastIndex(({ atMs }) => atMs <= nowMs - windowMs)
  return start > 0 ? endings.slice(start) : endings
}

function readFailures(
  [first]: readonly Ending[],
  { done, failed }: AlertFacts,
  { failurePercent, minimumJobs }: AlertSettings,
): Reading {
  const failures = failed - (first?.failed ?? 0)
  const ended = done - (first?.done ?? 0) + failures
  const found = ended === 0 ? 0 : (failures / ended) * 100
  const verdict = verdictOf(found, failurePercent)
  return {
    kind: 'failure-rate',
    queue: undefined,
    found,
    threshold: failurePercent,
    // Few jobs raise no alarm, and end none as long as they fail.
    verdict: verdict === 'over' && ended < minimumJobs ? 'between' : verdict,
  }
}

function readMaintenance({ failedMaintenanceRuns }: AlertFacts): Reading {
  const verdict = failedMaintenanceRuns > 0 ? 'over' : 'below'
  return { kind: 'maintenance-failed', queue: undefined, found: failedMaintenanceRuns, threshold: 0, verdict }
}

/** While jobs are held back, a standstill grows no longer; one that is known stays known, since it may be of others. */
function nextStandstills(
  before: AlertState,
  { queues, isThrottled }: AlertFacts,
  nowMs: number,
): AlertState['standstills'] {
  const standstills = new Map<string, Standstill>()
  const passedMs = isThrottled ? 0 : nowMs - before.lookedAtMs
  for (const { queue, waiting, began } of queues) {
    if (waiting === 0) continue
    const known = before.standstills.get(queue)
    standstills.set(queue, { began, forMs: known?.began === began ? known.forMs + passedMs : 0 })
  }
  return standstills
}

function readQueue(
  queue: string,
  standstill: Standstill | undefined,
  { stalledAfterMs }: AlertSettings,
): Reading {
  const found = standstill?.forMs ?? 0
  const isStalled = stalledAfterMs > 0 && found > stalledAfterMs
  const verdict = isStalled ? 'over' : 'below'
  return { kind: 'queue-stalled', queue, found: Math.round(found), threshold: stalledAfterMs, verdict }
}
