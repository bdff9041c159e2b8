/**
 * Every metric, declared once: the Prometheus text and the OpenTelemetry meters are both made from this list. Names are
 * OpenTelemetry's, and Prometheus' follow from them as OpenTelemetry lays down: `semantica.wait` in `s` is
 * `semantica_wait_seconds`, a counter ends in `_total`. A collector in between changes nothing.
 */
import { jobStates } from '../job/state.ts'
import { type AlertKind, alertKinds } from './alerts.ts'
import type { EventTally } from './event-tally.ts'
import type { EngineFacts, MeasuredFacts } from './facts.ts'
import { durationBounds, type HistogramFacts, sizeBounds } from './histogram.ts'

/** All that metrics are read from. */
export interface MetricFacts {
  readonly engine: EngineFacts
  readonly tally: Pick<EventTally, 'crashes' | 'retries' | 'maintenance'>
  /** When the engine was started, as wall time. */
  readonly startedAtMs: number
  /** Of the disk that the database is on; undefined: it does not tell. */
  readonly disk: DiskFacts | undefined
  readonly activeAlerts: readonly { readonly kind: AlertKind }[]
}

export interface DiskFacts {
  /** What an ordinary user may still write. */
  readonly availableBytes: number
  /** How much is taken of what is taken and what is available, in percent. */
  readonly usedPercent: number
}

export type Labels = Readonly<Record<string, string>>

export interface Sample<Value> {
  readonly labels: Labels
  readonly value: Value
}

export type Metric = {
  readonly name: string
  /** As OpenTelemetry writes units: seconds, bytes, a ratio, or things in braces. */
  readonly unit: 's' | 'By' | '1' | `{${string}}`
  readonly help: string
} & (
  | { readonly kind: 'gauge' | 'counter'; read(facts: MetricFacts): readonly Sample<number>[] }
  | {
      readonly kind: 'histogram'
      readonly bounds: readonly number[]
      read(facts: MetricFacts): readonly Sample<HistogramFacts>[]
    }
)

const finalStates = jobStates.filter(
  (state) => state !== 'QUEUED' && state !== 'SCHEDULED' && state !== 'RUNNING',
)

const one = <Value>(value: Value): readonly Sample<Value>[] => [{ labels: {}, value }]

function byQueue<Value>(
  { engine }: MetricFacts,
  read: (facts: EngineFacts['queues'][string], queue: string) => readonly Sample<Value>[],
): readonly Sample<Value>[] {
  return Object.entries(engine.queues).flatMap(([queue, facts]) => read(facts, queue))
}

function byType(histograms: MeasuredFacts['waits'] | undefined): readonly Sample<HistogramFacts>[] {
  return Object.entries(histograms ?? {}).map(([type, value]) => ({ labels: { job_type: type }, value }))
}

const measured = (histogram: HistogramFacts | undefined): readonly Sample<HistogramFacts>[] =>
  histogram === undefined ? [] : one(histogram)

const jobMetrics: readonly Metric[] = [
  {
    name: 'semantica.jobs',
    unit: '{job}',
    kind: 'gauge',
    help: 'Jobs in the database, by state and queue.',
    read: (facts) =>
      byQueue(facts, ({ jobs }, queue) =>
        jobStates.map((state) => ({ labels: { state, queue }, value: jobs[state] })),
      ),
  },
  {
    name: 'semantica.enqueued',
    unit: '{job}',
    kind: 'counter',
    help: 'Jobs that were added since the start.',
    read: (facts) => byQueue(facts, ({ added }, queue) => [{ labels: { queue }, value: added }]),
  },
  {
    name: 'semantica.settled',
    unit: '{job}',
    kind: 'counter',
    help: 'Jobs that ended since the start, by how they did.',
    read: (facts) =>
      byQueue(facts, ({ entered }, queue) =>
        finalStates.map((state) => ({ labels: { state, queue }, value: entered[state] })),
      ),
  },
  {
    name: 'semantica.wait',
    unit: 's',
    kind: 'histogram',
    bounds: durationBounds,
    help: 'Time from the enqueue of a job to the begin of its first attempt; known once that has ended.',
    read: ({ engine }) => byType(engine.measured?.waits),
  },
  {
    name: 'semantica.run',
    unit: 's',
    kind: 'histogram',
    bounds: durationBounds,
    help: 'Time that an attempt took, however it ended, but for those that died with their thread.',
    read: ({ engine }) => byType(engine.measured?.runs),
  },
  {
    name: 'semantica.retries',
    unit: '{attempt}',
    kind: 'counter',
    help: 'Attempts that failed and are followed by another, since the start.',
    read: ({ tally }) =>
      [...tally.retries.values()].map(({ jobType, cause, count }) => ({
        labels: { job_type: jobType, cause },
        value: count,
      })),
  },
]

const engineMetrics: readonly Metric[] = [
  {
    name: 'semantica.commits',
    unit: '{commit}',
    kind: 'counter',
    help: 'Transactions that were committed since the start.',
    read: ({ engine }) => one(engine.commits),
  },
  {
    name: 'semantica.commit',
    unit: 's',
    kind: 'histogram',
    bounds: durationBounds,
    help: 'Time that a transaction took from its begin to its commit.',
    read: ({ engine }) => measured(engine.measured?.commitSeconds),
  },
  {
    name: 'semantica.commit.changes',
    unit: '{change}',
    kind: 'histogram',
    bounds: sizeBounds,
    help: 'How many times jobs came into another state in one transaction.',
    read: ({ engine }) => measured(engine.measured?.commitChanges),
  },
  {
    name: 'semantica.mailbox.depth',
    unit: '{message}',
    kind: 'gauge',
    help: 'Messages that wait for the supervisor.',
    read: ({ engine }) => one(engine.mailbox),
  },
  {
    name: 'semantica.claims',
    unit: '{job}',
    kind: 'gauge',
    help: 'Jobs that were given to a thread, or are about to be.',
    read: ({ engine }) => one(engine.claims),
  },
  {
    name: 'semantica.start_time',
    unit: 's',
    kind: 'gauge',
    help: 'When the engine was started, in seconds since 1970.',
    read: ({ startedAtMs }) => one(startedAtMs / 1_000),
  },
  {
    name: 'semantica.threads.ready',
    unit: '{thread}',
    kind: 'gauge',
    help: 'Pool threads that take jobs.',
    read: ({ engine }) => one(engine.threads.ready),
  },
  {
    name: 'semantica.threads.busy',
    unit: '{thread}',
    kind: 'gauge',
    help: 'Pool threads that have work.',
    read: ({ engine }) => one(engine.threads.busy),
  },
  {
    name: 'semantica.throttled',
    unit: '{engine}',
    kind: 'gauge',
    help: '1 while jobs of low priority are held back, else 0.',
    read: ({ engine }) => one(engine.isThrottled ? 1 : 0),
  },
  {
    name: 'semantica.event_loop_delay',
    unit: 's',
    kind: 'gauge',
    help: 'How late the event loop of the supervisor was in the last ten seconds or more.',
    read: ({ engine }) => {
      if (engine.measured === undefined) return []
      const { median, p99, maximum } = engine.measured.loopDelay
      return [
        { labels: { statistic: 'median' }, value: median },
        { labels: { statistic: 'p99' }, value: p99 },
        { labels: { statistic: 'maximum' }, value: maximum },
      ]
    },
  },
  {
    name: 'semantica.crashes',
    unit: '{crash}',
    kind: 'counter',
    help: 'Threads that ended by themselves or by force since the start; PROCESS_DIED: the process before this one.',
    read: ({ tally }) => [...tally.crashes].map(([cause, value]) => ({ labels: { cause }, value })),
  },
  {
    name: 'semantica.alert.active',
    unit: '{alert}',
    kind: 'gauge',
    help: 'How many alerts of the engine itself are active, by kind.',
    read: ({ activeAlerts }) =>
      alertKinds.map((kind) => ({
        labels: { kind },
        value: activeAlerts.filter((alert) => alert.kind === kind).length,
      })),
  },
]

const spaceMetrics: readonly Metric[] = [
  {
    name: 'semantica.database',
    unit: 'By',
    kind: 'gauge',
    help: 'Size of the database file.',
    read: ({ engine }) => one(engine.fileBytes),
  },
  {
    name: 'semantica.database.free',
    unit: 'By',
    kind: 'gauge',
    help: 'How much of the database file is free for new rows.',
    read: ({ engine }) => one(engine.freeBytes),
  },
  {
    name: 'semantica.wal',
    unit: 'By',
    kind: 'gauge',
    help: 'How much of the write-ahead log is in use.',
    read: ({ engine }) => one(engine.walBytes),
  },
  {
    name: 'semantica.disk.available',
    unit: 'By',
    kind: 'gauge',
    help: 'Space that is left on the disk of the database.',
    read: ({ disk }) => (disk === undefined ? [] : one(disk.availableBytes)),
  },
  {
    name: 'semantica.disk.used',
    unit: '1',
    kind: 'gauge',
    help: 'How full the disk of the database is, from 0 to 1.',
    read: ({ disk }) => (disk === undefined ? [] : one(disk.usedPercent / 100)),
  },
  {
    name: 'semantica.maintenance.runs',
    unit: '{run}',
    kind: 'counter',
    help: 'Runs of the maintenance since the start, by how they ended.',
    read: ({ tally: { maintenance } }) => [
      { labels: { outcome: 'completed' }, value: maintenance.completed },
      { labels: { outcome: 'failed' }, value: maintenance.failed },
    ],
  },
  {
    name: 'semantica.maintenance.reclaimed',
    unit: 'By',
    kind: 'counter',
    help: 'Space that the maintenance gave back since the start.',
    read: ({ tally }) => one(tally.maintenance.reclaimedBytes),
  },
  {
    name: 'semantica.maintenance.deleted_jobs',
    unit: '{job}',
    kind: 'counter',
    help: 'Jobs that the maintenance deleted since the start.',
    read: ({ tally }) => one(tally.maintenance.deletedJobs),
  },
  {
    name: 'semantica.maintenance.deleted_early',
    unit: '{job}',
    kind: 'counter',
    help: 'Jobs among them whose retention was not over: for the limits of number and size.',
    read: ({ tally }) => one(tally.maintenance.deletedEarly),
  },
  {
    name: 'semantica.maintenance.deleted_artifacts',
    unit: '{artifact}',
    kind: 'counter',
    help: 'Artifacts that the maintenance deleted since the start.',
    read: ({ tally }) => one(tally.maintenance.deletedArtifacts),
  },
]

export const metricCatalog: readonly Metric[] = [...jobMetrics, ...engineMetrics, ...spaceMetrics]

const suffixes: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes', '1': '_ratio' }

/** @example prometheusName of `semantica.wait` in seconds is `semantica_wait_seconds` */
export function prometheusName({ name, unit, kind }: Metric): string {
  return `${name.replaceAll('.', '_')}${suffixes[unit] ?? ''}${kind === 'counter' ? '_total' : ''}`
}
