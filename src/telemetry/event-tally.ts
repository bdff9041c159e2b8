import type { EngineEvents } from './events.ts'

/** Why threads and processes end that should not. */
const crashCauses = [
  'THREAD_DIED',
  'OUT_OF_MEMORY',
  'EXITED',
  'ACTOR_DIED',
  'CHECKPOINTER_DIED',
  'PROCESS_DIED',
] as const
export type CrashCause = (typeof crashCauses)[number]

export interface RetryCount {
  readonly jobType: string
  readonly cause: string
  count: number
}

/** What is counted by events: all of them rare, and told to the host anyway. */
export class EventTally {
  readonly crashes = new Map<CrashCause, number>(crashCauses.map((cause) => [cause, 0]))
  readonly retries = new Map<string, RetryCount>()
  readonly maintenance = {
    completed: 0,
    failed: 0,
    deletedJobs: 0,
    deletedEarly: 0,
    deletedArtifacts: 0,
    reclaimedBytes: 0,
  }

  constructor(events: EngineEvents) {
    events.on('job-retried', ({ jobType, cause }) => this.#retried(jobType, cause))
    events.on('thread-died', ({ cause }) => this.#crashed(cause))
    events.on('actor-died', () => this.#crashed('ACTOR_DIED'))
    events.on('checkpointer-died', () => this.#crashed('CHECKPOINTER_DIED'))
    events.on('recovered', () => this.#crashed('PROCESS_DIED'))
    events.on(
      'maintenance-completed',
      ({ outcome, deletedJobs, deletedEarly, deletedArtifacts, reclaimedBytes }) => {
        this.maintenance[outcome]++
        this.maintenance.deletedJobs += deletedJobs
        this.maintenance.deletedEarly += deletedEarly
        this.maintenance.deletedArtifacts += deletedArtifacts
        this.maintenance.reclaimedBytes += reclaimedBytes
      },
    )
  }

  #crashed(cause: CrashCause): void {
    this.crashes.set(cause, (this.crashes.get(cause) ?? 0) + 1)
  }

  #retried(jobType: string, cause: string): void {
    const key = `${cause} ${jobType}`
    const known = this.retries.get(key)
    if (known === undefined) this.retries.set(key, { jobType, cause, count: 1 })
    else known.count++
  }
}
