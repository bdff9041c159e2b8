/** The works: what is asked of every contender, and which numbers come of it. */
import type { JobKind } from './contender.ts'

export interface Metric {
  readonly key: string
  readonly title: string
  readonly unit: string
  readonly better: 'higher' | 'lower'
}

export interface Work {
  readonly title: string
  readonly summary: string
  readonly kind: JobKind
  /** False: jobs are only queued. */
  readonly runsJobs: boolean
  /** Where more rounds would tell nothing new. */
  readonly maxRounds: number
  /** The first is the one that contenders are compared by. */
  readonly metrics: readonly [Metric, ...Metric[]]
}

const rate: Metric = { key: 'jobs_per_s', title: 'jobs/s', unit: 'jobs/s', better: 'higher' }
const unlimited = 1_000

export const works = {
  'enqueue-one': {
    title: 'Enqueue, a call a job',
    summary: 'jobs acknowledged a second, one call for each job, 500 calls unanswered at a time; none runs',
    kind: 'NO_OP',
    runsJobs: false,
    maxRounds: unlimited,
    metrics: [rate],
  },
  'enqueue-bulk': {
    title: 'Enqueue, in bulk',
    summary: 'jobs acknowledged a second with the bulk call, 1,000 jobs a call; none runs',
    kind: 'NO_OP',
    runsJobs: false,
    maxRounds: unlimited,
    metrics: [rate],
  },
  'no-op': {
    title: 'Jobs that do nothing, end to end',
    summary: 'jobs a second from the first enqueue until all are recorded as completed',
    kind: 'NO_OP',
    runsJobs: true,
    maxRounds: unlimited,
    metrics: [rate],
  },
  cpu: {
    title: 'Jobs that keep a core busy for 2 ms',
    summary: 'share of what all cores could do at most, and the longest stall of the host’s event loop',
    kind: 'HASH',
    runsJobs: true,
    maxRounds: unlimited,
    metrics: [
      { key: 'ideal_share', title: 'of the ideal', unit: '%', better: 'higher' },
      { key: 'stall_ms', title: 'longest stall', unit: 'ms', better: 'lower' },
    ],
  },
  latency: {
    title: 'Latency at 500 jobs a second',
    summary: 'from when a job was due to be enqueued until its handler began, at a fixed pace of 500 jobs/s',
    kind: 'STAMP',
    runsJobs: true,
    maxRounds: unlimited,
    metrics: [
      { key: 'p50_ms', title: 'p50', unit: 'ms', better: 'lower' },
      { key: 'p99_ms', title: 'p99', unit: 'ms', better: 'lower' },
      { key: 'p999_ms', title: 'p99.9', unit: 'ms', better: 'lower' },
    ],
  },
  supersede: {
    title: 'Only the latest matters',
    summary: 'share that never ran of 10,000 jobs on 100 subjects, enqueued in one turn, 20 ms each',
    kind: 'NAP',
    runsJobs: true,
    maxRounds: 3,
    metrics: [
      { key: 'never_ran', title: 'never ran', unit: '%', better: 'higher' },
      { key: 'latest_ran', title: 'latest ran', unit: 'of 100 subjects', better: 'higher' },
      { key: 'elapsed_ms', title: 'until all is settled', unit: 'ms', better: 'lower' },
    ],
  },
  memory: {
    title: 'Memory with 100,000 jobs queued',
    summary: 'resident memory of the host process, and of the server beside it; nothing runs',
    kind: 'NO_OP',
    runsJobs: false,
    maxRounds: 3,
    metrics: [
      { key: 'host_mb', title: 'host', unit: 'MB', better: 'lower' },
      { key: 'server_mb', title: 'server', unit: 'MB', better: 'lower' },
    ],
  },
} as const satisfies Readonly<Record<string, Work>>

export type WorkName = keyof typeof works

// Object.keys forgets what the keys are.
export const workNames = Object.keys(works) as readonly WorkName[]
