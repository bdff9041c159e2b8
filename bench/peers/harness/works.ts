/** The works: what is asked of every contender, and which numbers come of it. */
import type { JobKind } from './contender.ts'

export interface Metric {
  readonly key: string
  readonly title: string
  /** For a heading that has named the work. */
  readonly short: string
  readonly unit: string
  readonly better: 'higher' | 'lower'
}

export interface Work {
  readonly title: string
  /** For the head of a column. */
  readonly brief: string
  readonly summary: string
  /** For the report: how to read it. */
  readonly note: string
  readonly kind: JobKind
  /** False: jobs are only queued. */
  readonly runsJobs: boolean
  /** Where more rounds would tell nothing new. */
  readonly maxRounds: number
  /** The first is the one that contenders are compared by. */
  readonly metrics: readonly [Metric, ...Metric[]]
}

const rate: Metric = { key: 'jobs_per_s', title: 'jobs/s', short: 'jobs/s', unit: 'jobs/s', better: 'higher' }
const unlimited = 1_000

export const works = {
  'enqueue-one': {
    title: 'Enqueue, a call a job',
    brief: 'enqueue, a call a job',
    summary: 'jobs acknowledged a second, one call for each job, 500 calls unanswered at a time; none runs',
    note: 'Calls of one turn of the event loop may travel together: that is the contender’s own business.',
    kind: 'NO_OP',
    runsJobs: false,
    maxRounds: unlimited,
    metrics: [rate],
  },
  'enqueue-bulk': {
    title: 'Enqueue, in bulk',
    brief: 'enqueue, in bulk',
    summary: 'jobs acknowledged a second with the bulk call, 1,000 jobs a call; none runs',
    note: '',
    kind: 'NO_OP',
    runsJobs: false,
    maxRounds: unlimited,
    metrics: [rate],
  },
  'no-op': {
    title: 'Jobs that do nothing, end to end',
    brief: 'end to end',
    summary: 'jobs a second from the first enqueue until all are recorded as completed',
    note: 'Each contender gets its jobs by whichever call is the faster for it. Piscina alone sends a message for each task, which is what batches save.',
    kind: 'NO_OP',
    runsJobs: true,
    maxRounds: unlimited,
    metrics: [rate],
  },
  cpu: {
    title: 'Jobs that keep a core busy for 2 ms',
    brief: 'CPU',
    summary: 'share of what all cores could do at most, and the longest stall of the host’s event loop',
    note: 'All cores hashing without a pause are 100 %; two threads on two hardware threads of one core cannot reach that, which is why Piscina alone is there.',
    kind: 'HASH',
    runsJobs: true,
    maxRounds: unlimited,
    metrics: [
      { key: 'ideal_share', title: 'of the ideal', short: '% of the ideal', unit: '%', better: 'higher' },
      { key: 'stall_ms', title: 'longest stall', short: 'stall, ms', unit: 'ms', better: 'lower' },
    ],
  },
  latency: {
    title: 'Latency at 500 jobs a second',
    brief: 'latency',
    summary: 'from when a job was due to be enqueued until its handler began, at a fixed pace of 500 jobs/s',
    note: 'A job that could not be enqueued in time, because the event loop was busy, is late all the same.',
    kind: 'STAMP',
    runsJobs: true,
    maxRounds: unlimited,
    metrics: [
      { key: 'p50_ms', title: 'p50', short: 'p50, ms', unit: 'ms', better: 'lower' },
      { key: 'p99_ms', title: 'p99', short: 'p99, ms', unit: 'ms', better: 'lower' },
      { key: 'p999_ms', title: 'p99.9', short: 'p99.9, ms', unit: 'ms', better: 'lower' },
    ],
  },
  supersede: {
    title: 'Only the latest matters',
    brief: 'supersede',
    summary: 'share that never ran of 10,000 jobs on 100 subjects, enqueued in one turn, 20 ms each',
    note: 'Of 10,000 only the last on each subject matters. Where the nearest feature keeps the older job, “latest ran” shows it. BullMQ and graphile-worker debounce: every job waits for 2 s, which is most of their time. The engine and pg-boss begin at once, so that the first on a subject may run before the others come.',
    kind: 'NAP',
    runsJobs: true,
    maxRounds: 3,
    metrics: [
      { key: 'never_ran', title: 'never ran', short: '% never ran', unit: '%', better: 'higher' },
      {
        key: 'latest_ran',
        title: 'latest ran',
        short: 'latest ran',
        unit: 'of 100 subjects',
        better: 'higher',
      },
      { key: 'elapsed_ms', title: 'until all is settled', short: 'ms', unit: 'ms', better: 'lower' },
    ],
  },
  memory: {
    title: 'Memory with 100,000 jobs queued',
    brief: 'memory',
    summary: 'resident memory of the host process, and of the server beside it; nothing runs',
    note: 'The server’s memory is what it and its processes hold, shared pages counted once. The engine’s host holds a supervisor, a pool thread, a reader and a checkpointer thread, each with a heap of its own.',
    kind: 'NO_OP',
    runsJobs: false,
    maxRounds: 3,
    metrics: [
      { key: 'host_mb', title: 'host', short: 'host, MB', unit: 'MB', better: 'lower' },
      { key: 'server_mb', title: 'server', short: 'server, MB', unit: 'MB', better: 'lower' },
    ],
  },
} as const satisfies Readonly<Record<string, Work>>

export type WorkName = keyof typeof works

// Object.keys forgets what the keys are.
export const workNames = Object.keys(works) as readonly WorkName[]

const charts: Readonly<Partial<Record<WorkName, string>>> = {
  'no-op': 'throughput',
  cpu: 'cpu',
  latency: 'latency',
  memory: 'memory',
}

/** The chart that belongs to a work; one of three works stands with the last of them. */
export function chartOf(work: WorkName): string | undefined {
  return charts[work]
}
