import { limits } from '../config.ts'
import { describe, engineError, invalidOption } from '../errors.ts'
import type { PayloadOf } from '../job/definition.ts'
import type { EnqueueOptions } from '../job/spec.ts'
import type { CheckedJob } from './enqueue-pack.ts'
import type { Enqueuer } from './enqueuer.ts'
import type { Job } from './job.ts'

/** One job of `enqueueMany`. */
export type BulkJob<Definitions> = {
  [Type in keyof Definitions & string]: {
    readonly type: Type
    readonly payload?: PayloadOf<Definitions[Type]>
    readonly options?: EnqueueOptions
  }
}[keyof Definitions & string]

/** What became of an iterable. */
export interface BulkReport {
  /** Jobs that were added. */
  readonly enqueued: number
  /** Jobs for which an existing one stands: same idempotency key or generation, or kept. */
  readonly existing: number
}

/** @throws OPTION_INVALID when it is no such job, or has a field that would be overlooked */
export function checkBulkJob(job: unknown): void {
  if (typeof job !== 'object' || job === null)
    throw invalidOption('a job of enqueueMany', describe(job), '{ type, payload, options }')
  for (const name in job) {
    if (name !== 'type' && name !== 'payload' && name !== 'options')
      throw invalidOption(name, 'not a field of a job of enqueueMany', 'type, payload, options')
  }
}

type Check<Item> = (job: Item) => CheckedJob | Promise<CheckedJob>

/** Chunks of an iterable that may be unacknowledged at a time: one commits while the next ones are on their way. */
const chunksUnderway = 4

/** @throws BULK_TOO_LARGE, and what `check` throws; then nothing was added */
export async function enqueueArray<Item>(
  enqueuer: Enqueuer,
  jobs: readonly Item[],
  check: Check<Item>,
): Promise<Job[]> {
  if (jobs.length > limits.atomicJobs) throw tooLarge(`${jobs.length.toLocaleString('en')} jobs`)
  const checked: CheckedJob[] = []
  let characters = 0
  for (const job of jobs) {
    const one = check(job)
    checked.push(one instanceof Promise ? await one : one)
    characters += checked.at(-1)?.payload.length ?? 0
  }
  if (characters > limits.atomicCharacters)
    throw tooLarge(`${characters.toLocaleString('en')} characters of payload`)
  return enqueuer.addTogether(checked)
}

/** Takes the iterable no faster than its jobs are acknowledged. */
export async function enqueueStream<Item>(
  enqueuer: Enqueuer,
  jobs: Iterable<Item> | AsyncIterable<Item>,
  check: Check<Item>,
): Promise<BulkReport> {
  if (!isIterable(jobs)) {
    const allowed = 'an array, an iterable or an async iterable of { type, payload, options }'
    throw invalidOption('jobs', describe(jobs), allowed)
  }
  let enqueued = 0
  let existing = 0
  const underway = new Set<Promise<void>>()
  let failure: { readonly error: unknown } | undefined
  const send = async (chunk: readonly CheckedJob[]): Promise<void> => {
    if (underway.size >= chunksUnderway) await Promise.race(underway)
    // Others may take the room that it has waited for: then it waits again.
    while (!enqueuer.hasRoomFor(chunk)) await enqueuer.ready(chunk)
    const sending: Promise<void> = enqueuer.addTogether(chunk).then(
      (added) => {
        const fresh = added.filter(({ isNew }) => isNew).length
        enqueued += fresh
        existing += added.length - fresh
        underway.delete(sending)
      },
      (error: unknown) => {
        failure ??= { error }
        underway.delete(sending)
      },
    )
    underway.add(sending)
  }
  let chunk: CheckedJob[] = []
  let characters = 0
  try {
    for await (const job of jobs) {
      if (failure !== undefined) break
      const one = check(job)
      const checked = one instanceof Promise ? await one : one
      chunk.push(checked)
      characters += checked.payload.length
      if (chunk.length >= limits.jobsPerMessage || characters >= limits.charactersPerMessage) {
        await send(chunk)
        chunk = []
        characters = 0
      }
    }
    if (chunk.length > 0 && failure === undefined) await send(chunk)
  } finally {
    await Promise.all(underway)
  }
  if (failure !== undefined) throw failure.error
  return { enqueued, existing }
}

/** An array, which is atomic; told apart in a way that narrows a readonly one. */
export function isArray<Item>(
  jobs: readonly Item[] | Iterable<Item> | AsyncIterable<Item>,
): jobs is readonly Item[] {
  return Array.isArray(jobs)
}

function isIterable(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  )
}

function tooLarge(found: string): Error {
  return engineError('BULK_TOO_LARGE', {
    found: `One atomic enqueueMany holds ${found}`,
    allowed: `at most ${limits.atomicJobs.toLocaleString('en')} jobs and ${limits.atomicCharacters.toLocaleString('en')} characters of payload`,
    action: 'Pass a generator instead of the array: it is taken in chunks.',
  })
}
