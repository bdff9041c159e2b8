import { limits } from '../config.ts'
import { defaultGraceMs } from '../job/definition.ts'
import { defaultRetryPolicy, type RetryPolicy } from '../job/retry.ts'
import type { JobPolicy } from '../store/rows.ts'
import type { JobTypeSettings } from './messages.ts'

/** Overlapping handlers are claimed ahead up to this many times; beyond it more of them gain nothing measurable. */
const mostOverlapCounted = 8
/**
 * A program is ended by its own actor when its grace is over. Should that fail, its thread is ended so much later, as that
 * of any handler which does not give way.
 */
const programMarginMs = 5_000

/** A job type as the supervisor sees it: its settings, and how long its jobs have been taking. */
export class JobType {
  readonly name: string
  readonly isServed: boolean
  readonly settings: JobTypeSettings
  /** Its handlers do nothing in their thread but wait for a program. */
  readonly isProgram: boolean
  #averageMs: number | undefined

  constructor(name: string, settings: JobTypeSettings | undefined) {
    this.name = name
    this.isServed = settings !== undefined
    this.settings = settings ?? {}
    this.isProgram = this.settings.isProgram === true
  }

  /**
   * What a job is expected to take of its thread's batch: a moving average, at most one batch. A type not yet seen is
   * taken for a fair share of a batch, so that the first batches are small. Handlers that overlap wait for most of their
   * time, and a thread needs several at hand to fill that. Programs take nothing of it.
   */
  get estimateMs(): number {
    if (this.isProgram) return 0
    if (this.#averageMs === undefined) return 1
    return (
      Math.min(this.#averageMs, limits.batchMs) / Math.min(this.settings.overlap ?? 1, mostOverlapCounted)
    )
  }

  /** What its jobs are while they wait for their turn: see `Lanes`. */
  get waitingState(): 'QUEUED' | 'SCHEDULED' {
    return this.isProgram ? 'SCHEDULED' : 'QUEUED'
  }

  /** One outlier must not make a batch of tiny jobs shrink to one: it counts as ten times the average at most. */
  observe(costMs: number): void {
    if (this.isProgram) return
    if (this.#averageMs === undefined) {
      this.#averageMs = costMs
      return
    }
    const bounded = Math.min(costMs, this.#averageMs * 10 + 0.01)
    this.#averageMs += (bounded - this.#averageMs) / 16
  }

  retryPolicy(policy: JobPolicy | undefined): RetryPolicy {
    return { ...defaultRetryPolicy, ...this.settings.retry, ...policy?.retry }
  }

  /** How long a handler may go on after its signal fired before its thread is ended. */
  get graceMs(): number {
    return (this.settings.graceMs ?? defaultGraceMs) + (this.isProgram ? programMarginMs : 0)
  }

  timeoutMs(policy: JobPolicy | undefined): number | undefined {
    return policy?.timeoutMs ?? this.settings.timeoutMs
  }
}

/** The job types that this engine serves, and those it only meets in the database. */
export class JobTypes {
  readonly #types = new Map<string, JobType>()

  constructor(settings: Readonly<Record<string, JobTypeSettings>>) {
    for (const [name, one] of Object.entries(settings)) this.#types.set(name, new JobType(name, one))
  }

  get(name: string): JobType {
    let type = this.#types.get(name)
    if (type === undefined) {
      type = new JobType(name, undefined)
      this.#types.set(name, type)
    }
    return type
  }

  isProgram(name: string): boolean {
    return this.#types.get(name)?.isProgram ?? false
  }

  programs(): string[] {
    return [...this.#types.values()].filter((type) => type.isProgram).map((type) => type.name)
  }

  served(): string[] {
    return [...this.#types.values()].filter((type) => type.isServed).map((type) => type.name)
  }
}
