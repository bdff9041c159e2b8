import { once } from 'node:events'
import { expect } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import type { JobRecord } from '../../src/engine/job-record.ts'
import { toPlainError } from '../../src/errors.ts'
import jobs from '../fixtures/crash/model-jobs.ts'
import { isEnded, type ModelJob, type ModelState, type NewModelJob, type QueueModel } from './queue-model.ts'

type Outcome = { readonly result: unknown } | { readonly code: string | undefined }

interface Followed {
  readonly id: string
  result(): Promise<unknown>
}

function start(database: string) {
  return Engine.start({ jobs, database, threads: 1, logLevel: 'silent' })
}

/** The engine under test, and the ids of the model's jobs in it. */
export class RealQueue implements AsyncDisposable {
  readonly ids: string[] = []
  readonly #database: string
  readonly #channel = new BroadcastChannel('plug')
  /** How jobs ended, for those that this engine was asked about. */
  readonly #outcomes = new Map<number, Promise<Outcome>>()
  #engine: Awaited<ReturnType<typeof start>>

  private constructor(database: string, engine: Awaited<ReturnType<typeof start>>) {
    this.#database = database
    this.#engine = engine
  }

  static async open(database: string): Promise<RealQueue> {
    return new RealQueue(database, await start(database))
  }

  async plugIn(plug: ModelJob, isDeaf: boolean): Promise<void> {
    const plugged = this.#plugged()
    const options = { priority: 100, ...(plug.subject === undefined ? {} : { subjectKey: plug.subject }) }
    this.#follow(plug, await this.#engine.enqueue('PLUG', { isDeaf }, options))
    expect(await plugged).toBe(`plugged ${this.ids[plug.number]}`)
  }

  /** Adds jobs; more than one are added in one transaction. */
  async add(
    specs: readonly NewModelJob[],
    numbers: readonly number[],
  ): Promise<readonly { id: string; isNew: boolean }[]> {
    const added = specs.map((spec, index) => {
      const payload = { script: spec.script, number: numbers[index] ?? -1 }
      return { type: 'SCRIPT', payload, options: optionsOf(spec) } as const
    })
    const [only] = added
    if (only === undefined || added.length > 1) return this.#engine.enqueueMany(added)
    return [await this.#engine.enqueue(only.type, only.payload, only.options)]
  }

  cancel(ids: readonly string[]): Promise<string[]> {
    return this.#engine.cancel(ids)
  }

  retry(id: string): Promise<Followed> {
    return this.#engine.retry(id)
  }

  /** Remembers the id of a job that is new to the model, and awaits its outcome. */
  follow(job: ModelJob, handle: object): void {
    this.#follow(job, handle as Followed)
  }

  /** Comes back once the engine has told how these jobs ended. */
  async outcomesOf(jobs: readonly ModelJob[]): Promise<void> {
    await Promise.all(jobs.map(({ number }) => this.#outcomes.get(number)))
  }

  async pull(): Promise<void> {
    this.#channel.postMessage('pull')
    await this.#engine.idle()
  }

  async restart(isPluggedAfter: boolean): Promise<void> {
    await this.#engine.stop({ graceMs: 0 })
    this.#outcomes.clear()
    const plugged = isPluggedAfter ? this.#plugged() : undefined
    this.#engine = await start(this.#database)
    if (plugged === undefined) await this.#engine.idle()
    else await plugged
  }

  /** Everything that can be asked of the engine, held against the model. */
  async expectLike(model: QueueModel): Promise<void> {
    const stored = new Map((await this.#list()).map((job) => [job.id, job]))
    expect(this.ids.map((id) => factsOf(stored.get(id)))).toEqual(
      model.jobs.map((job) => this.#expected(job)),
    )
    const ended = model.jobs.filter((job) => isEnded(job) && this.#outcomes.has(job.number))
    const outcomes = await Promise.all(ended.map(({ number }) => this.#outcomes.get(number)))
    expect(outcomes).toEqual(ended.map(outcomeOf))
    await this.#expectCounts(model)
  }

  /** The failed attempts that are kept of each job. */
  async expectAttemptsLike(model: QueueModel): Promise<void> {
    const stored = await Promise.all(this.ids.map((id) => this.#engine.get(id)))
    const attempts = stored.map((job) =>
      job?.failedAttempts.map(({ attempt, cause }) => `${attempt} ${cause}`),
    )
    expect(attempts).toEqual(
      model.jobs.map(({ failures }) => Array.from({ length: failures }, (_, index) => `${index + 1} THREW`)),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel.close()
    await this.#engine.stop({ graceMs: 0 })
  }

  async #expectCounts(model: QueueModel): Promise<void> {
    const { jobs: counts } = await this.#engine.stats()
    const count = (...states: ModelState[]) => model.jobs.filter(({ state }) => states.includes(state)).length
    const parents = model.jobs.filter(({ script, state }) => script === 'have-children' && state === 'DONE')
    const children = (await this.#list()).filter(({ jobType }) => jobType === 'CHILD')
    expect(children.map(({ parentJobId }) => parentJobId).sort()).toEqual(
      parents.flatMap(({ number }) => [this.ids[number], this.ids[number]]).sort(),
    )
    expect(counts.QUEUED + counts.RUNNING).toBe(count('waiting', 'plugging'))
    expect(counts).toMatchObject({
      SCHEDULED: count('behind'),
      DONE: count('DONE') + children.length,
      FAILED: count('FAILED'),
      CANCELLED: count('CANCELLED'),
      SUPERSEDED: count('SUPERSEDED'),
      SKIPPED_TTL: count('SKIPPED_TTL'),
      SKIPPED_DEADLINE: count('SKIPPED_DEADLINE'),
    })
  }

  async #list(): Promise<readonly JobRecord[]> {
    const { jobs: all, cursor } = await this.#engine.list({ limit: 1_000 })
    expect(cursor).toBeUndefined()
    return all
  }

  #follow(job: ModelJob, handle: Followed): void {
    this.ids[job.number] = handle.id
    const outcome = handle.result().then(
      (result): Outcome => ({ result }),
      (error: unknown): Outcome => ({ code: toPlainError(error).code }),
    )
    this.#outcomes.set(job.number, outcome)
  }

  async #plugged(): Promise<string> {
    const [event] = await once(this.#channel, 'message')
    return event.data
  }

  #expected(job: ModelJob) {
    return {
      id: this.ids[job.number],
      state:
        job.state === 'plugging' || job.state === 'waiting'
          ? 'live'
          : job.state === 'behind'
            ? 'SCHEDULED'
            : job.state,
      generation: job.generation,
      priority: job.priority,
      supersededBy: job.supersededBy === undefined ? undefined : this.ids[job.supersededBy],
      retriedFrom: job.retriedFrom === undefined ? undefined : this.ids[job.retriedFrom],
      failures: job.failures,
      isFinished: isEnded(job),
    }
  }
}

function factsOf(job: JobRecord | undefined) {
  if (job === undefined) return undefined
  return {
    id: job.id,
    state: job.state === 'QUEUED' || job.state === 'RUNNING' ? 'live' : job.state,
    generation: job.generation,
    priority: job.priority,
    supersededBy: job.supersededBy,
    retriedFrom: job.retriedFrom,
    failures: job.failures,
    isFinished: job.finishedAt !== undefined,
  }
}

function outcomeOf({ state, script, number, payload }: ModelJob): Outcome {
  switch (state) {
    case 'DONE':
      return { result: { number: script === 'plug' ? -1 : payload } }
    case 'FAILED':
      return { code: 'JOB_FAILED' }
    case 'CANCELLED':
      return { code: 'JOB_CANCELLED' }
    case 'SUPERSEDED':
      return { code: 'SUPERSEDED' }
    case 'SKIPPED_TTL':
    case 'SKIPPED_DEADLINE':
      return { code: 'JOB_SKIPPED' }
    case 'waiting':
    case 'behind':
    case 'plugging':
      throw new Error(`Job ${number} has no outcome yet`)
  }
}

function optionsOf({ subject, generation, onConflict, onRunning, key, priority, time }: NewModelJob) {
  return {
    ...(subject === undefined ? {} : { subjectKey: subject }),
    ...(subject === undefined || generation === undefined ? {} : { generation }),
    ...(onConflict === undefined ? {} : { onConflict }),
    ...(onRunning === undefined ? {} : { onRunning }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
    ...(priority === undefined ? {} : { priority }),
    ...(time === undefined ? {} : time === 'short' ? { ttlMs: 1 } : { deadline: 0 }),
  }
}
