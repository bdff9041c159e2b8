/**
 * The life of jobs, as plainly as it can be said: lists and maps, no store, no threads, and of time only that it
 * passes.
 *
 * One job, the plug, holds up the only thread; behind it jobs are added, superseded, cancelled and retried, and none of
 * them begins. When the plug is pulled all of them run to their end. So at each step it is known what every job is.
 */
export type Script = 'succeed' | 'fail-once' | 'fail-always' | 'fail-fatally' | 'have-children'

export interface NewModelJob {
  readonly script: Script
  readonly subject?: string
  readonly generation?: number
  readonly onConflict?: 'keep'
  readonly onRunning?: 'finish'
  readonly key?: string
  readonly priority?: number
  /** A deadline that is past; or so short a time to live that it ends before the plug does. */
  readonly time?: 'none-left' | 'short'
}

export type ModelState =
  /** QUEUED, or claimed and not begun. */
  | 'waiting'
  /** SCHEDULED until the plug, an older generation of its subject, has ended. */
  | 'behind'
  | 'plugging'
  | 'DONE'
  | 'FAILED'
  | 'CANCELLED'
  | 'SUPERSEDED'
  | 'SKIPPED_TTL'
  | 'SKIPPED_DEADLINE'

export interface ModelJob {
  readonly number: number
  /** The number in its payload, which it returns: its own, or that of the job that it retries. */
  readonly payload: number
  readonly script: Script | 'plug'
  readonly subject: string | undefined
  readonly generation: number | undefined
  readonly priority: number
  readonly retriedFrom: number | undefined
  readonly isShort: boolean
  state: ModelState
  supersededBy: number | undefined
  failures: number
}

export interface NewPlug {
  readonly subject: string | undefined
  readonly isDeaf: boolean
}

interface Plug {
  readonly job: ModelJob
  /** Succeeds, whatever its signal says. */
  readonly isDeaf: boolean
  /** What its signal was fired for, first. */
  aborted: 'cancelled' | 'superseded' | undefined
  cancelRequested: boolean
  supersededBy: ModelJob | undefined
}

export interface Added {
  readonly job: ModelJob
  readonly isNew: boolean
}

export class QueueModel {
  readonly jobs: ModelJob[] = []
  readonly #latest = new Map<string, ModelJob>()
  readonly #keys = new Map<string, ModelJob>()
  #plug: Plug | undefined

  /** Adds the job that is to hold up the thread. Nothing else may be left to do. */
  plugIn({ subject, isDeaf }: NewPlug): ModelJob {
    const { job } = this.#add({ script: 'plug', ...(subject === undefined ? {} : { subject }) }, undefined)
    job.state = 'plugging'
    this.#plug = { job, isDeaf, aborted: undefined, cancelRequested: false, supersededBy: undefined }
    return job
  }

  add(job: NewModelJob): Added {
    const first = job.key === undefined ? undefined : this.#keys.get(job.key)
    if (first !== undefined) return { job: first, isNew: false }
    const added = this.#add(job, undefined)
    if (added.isNew && isWaiting(added.job) && job.time === 'none-left') added.job.state = 'SKIPPED_DEADLINE'
    if (job.key !== undefined) this.#keys.set(job.key, added.job)
    return added
  }

  /** Gives the jobs whose time runs out now. */
  passTime(): ModelJob[] {
    const expired = this.jobs.filter((job) => isWaiting(job) && job.isShort)
    for (const job of expired) job.state = 'SKIPPED_TTL'
    return expired
  }

  retry(job: ModelJob): ModelJob {
    const { script, subject, priority } = job
    return this.#add({ script, priority, ...(subject === undefined ? {} : { subject }) }, job).job
  }

  cancel(job: ModelJob): 'cancelled' | 'finished' {
    const plug = this.#plug
    if (job === plug?.job) {
      plug.cancelRequested = true
      plug.aborted ??= 'cancelled'
      return 'cancelled'
    }
    if (isEnded(job)) return 'finished'
    job.state = 'CANCELLED'
    return 'cancelled'
  }

  /** The plug ends, and then everything else does. */
  pull(): void {
    const plug = this.#plug
    if (plug !== undefined) {
      const { job } = plug
      if (plug.cancelRequested) job.state = 'CANCELLED'
      else if (plug.aborted === 'superseded' && !plug.isDeaf) this.#supersede(job, plug.supersededBy)
      else job.state = 'DONE'
    }
    this.#unplug()
    for (const job of this.jobs) if (job.state === 'waiting') run(job)
  }

  /** The engine stops without a grace and starts again. True: the plug is still in. */
  restart(): boolean {
    const plug = this.#plug
    if (plug !== undefined && !plug.cancelRequested && plug.supersededBy === undefined) return true
    if (plug !== undefined) {
      if (plug.cancelRequested) plug.job.state = 'CANCELLED'
      else this.#supersede(plug.job, plug.supersededBy)
    }
    this.#unplug()
    for (const job of this.jobs) if (job.state === 'waiting') run(job)
    return false
  }

  #add(job: Omit<NewModelJob, 'script'> & { readonly script: Script | 'plug' }, retried?: ModelJob): Added {
    const latest = job.subject === undefined ? undefined : this.#latest.get(job.subject)
    const latestGeneration = latest?.generation ?? 0
    const generation = job.subject === undefined ? undefined : (job.generation ?? latestGeneration + 1)
    const make = (): ModelJob => {
      const made: ModelJob = {
        number: this.jobs.length,
        payload: retried?.payload ?? this.jobs.length,
        script: job.script,
        subject: job.subject,
        generation,
        priority: job.priority ?? (job.script === 'plug' ? 100 : 0),
        retriedFrom: retried?.number,
        isShort: job.time === 'short',
        state: 'waiting',
        supersededBy: undefined,
        failures: 0,
      }
      this.jobs.push(made)
      return made
    }
    if (job.subject === undefined || generation === undefined) return { job: make(), isNew: true }
    if (latest !== undefined && generation === latestGeneration) return { job: latest, isNew: false }
    if (latest !== undefined && generation < latestGeneration) {
      const stale = make()
      this.#supersede(stale, latest)
      return { job: stale, isNew: true }
    }
    const ahead = this.jobs.find((one) => one.subject === job.subject && isWaiting(one))
    if (ahead !== undefined && job.onConflict === 'keep') return { job: ahead, isNew: false }
    const newest = make()
    if (ahead !== undefined) this.#supersede(ahead, newest)
    const plug = this.#plug
    if (plug !== undefined && plug.job.subject === job.subject) {
      newest.state = 'behind'
      plug.supersededBy = newest
      if (job.onRunning !== 'finish') plug.aborted ??= 'superseded'
    }
    this.#latest.set(job.subject, newest)
    return { job: newest, isNew: true }
  }

  #supersede(job: ModelJob, by: ModelJob | undefined): void {
    job.state = 'SUPERSEDED'
    job.supersededBy = by?.number
  }

  #unplug(): void {
    this.#plug = undefined
    for (const job of this.jobs) if (job.state === 'behind') job.state = 'waiting'
  }
}

export function isEnded({ state }: ModelJob): boolean {
  return state !== 'waiting' && state !== 'behind' && state !== 'plugging'
}

function isWaiting({ state }: ModelJob): boolean {
  return state === 'waiting' || state === 'behind'
}

function run(job: ModelJob): void {
  switch (job.script) {
    case 'succeed':
    case 'have-children':
    case 'plug':
      job.state = 'DONE'
      break
    case 'fail-once':
      job.state = 'DONE'
      job.failures = 1
      break
    case 'fail-always':
      job.state = 'FAILED'
      job.failures = 2
      break
    case 'fail-fatally':
      job.state = 'FAILED'
      job.failures = 1
      break
  }
}
