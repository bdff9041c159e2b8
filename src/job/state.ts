/**
 * The life of a job.
 *
 *              enqueue                            claim                    settle
 *   ──────────────┬──────────────► QUEUED ────────────────► RUNNING ────────────────► DONE
 *                 │                ▲    ▲                   │ │ │ └─────────────────► FAILED
 *                 │      promoted  │    └──── put back ─────┘ │ └───────────────────► CANCELLED
 *                 └─► SCHEDULED ───┘                          │
 *                         ▲                                   │
 *                         └──── put back, to wait ────────────┘
 *
 * SCHEDULED covers every job that waits for something (a time, or an older run of its subject), so that a claim
 * never looks at a job that cannot run. A job that is a program waits so for its turn, and is claimed without being
 * QUEUED: it takes no thread. RUNNING means claimed: `startedAt` is set once its handler began. A job
 * that can run at once is inserted already RUNNING, without having been QUEUED.
 *
 * Waiting jobs (QUEUED, SCHEDULED, and RUNNING ones whose handler has not begun) can end as SUPERSEDED, CANCELLED,
 * SKIPPED_TTL or SKIPPED_DEADLINE without an attempt. A started job ends as SUPERSEDED when a newer generation of its
 * subject fired its abort signal and it gave way.
 *
 * The same list is a CHECK in migrations/001_initial.up.sql; a test compares the two.
 */
export const jobStates = [
  'QUEUED',
  'SCHEDULED',
  'RUNNING',
  'DONE',
  'FAILED',
  'CANCELLED',
  'SUPERSEDED',
  'SKIPPED_TTL',
  'SKIPPED_DEADLINE',
] as const

export type JobState = (typeof jobStates)[number]

/**
 * What a job waits for: `turn` while it is QUEUED; while SCHEDULED a `time`, an older run of its `subject`, an engine
 * with a `handler` for its type, or, where it is a `program`, until no more of them run than may.
 */
export type WaitsFor = 'turn' | 'time' | 'subject' | 'handler' | 'program'

export const liveStates = ['QUEUED', 'SCHEDULED', 'RUNNING'] as const satisfies readonly JobState[]
export type LiveState = (typeof liveStates)[number]
export type FinalState = Exclude<JobState, LiveState>
export const finalStates = [
  'DONE',
  'FAILED',
  'CANCELLED',
  'SUPERSEDED',
  'SKIPPED_TTL',
  'SKIPPED_DEADLINE',
] as const satisfies readonly FinalState[]

/** The one table that decides. What is not listed cannot happen; final states have no way out. */
export const transitions: Readonly<Record<JobState, readonly JobState[]>> = {
  QUEUED: ['RUNNING', 'SCHEDULED', 'CANCELLED', 'SUPERSEDED', 'SKIPPED_TTL', 'SKIPPED_DEADLINE'],
  SCHEDULED: ['QUEUED', 'RUNNING', 'CANCELLED', 'SUPERSEDED', 'SKIPPED_TTL', 'SKIPPED_DEADLINE'],
  RUNNING: [
    'QUEUED',
    'SCHEDULED',
    'DONE',
    'FAILED',
    'CANCELLED',
    'SUPERSEDED',
    'SKIPPED_TTL',
    'SKIPPED_DEADLINE',
  ],
  DONE: [],
  FAILED: [],
  CANCELLED: [],
  SUPERSEDED: [],
  SKIPPED_TTL: [],
  SKIPPED_DEADLINE: [],
}

export function isJobState(text: string): text is JobState {
  return (jobStates as readonly string[]).includes(text)
}

export function isFinal(state: JobState): state is FinalState {
  return transitions[state].length === 0
}

export function canBecome(from: JobState, to: JobState): boolean {
  return transitions[from].includes(to)
}
