import { describe, invalidOption } from '../errors.ts'
import { checkFields, checkNumber, checkRetry, maxTimeoutMs } from './definition.ts'
import type { RetryPolicy } from './retry.ts'

/** How one job is to be run. Everything is optional. */
export interface EnqueueOptions {
  /** Named line of jobs, up to 64 of `A-Z a-z 0-9 _ -`. Default `default`. */
  readonly queue?: string
  /** -100 to 100; higher goes first. Default 0. */
  readonly priority?: number
  /** What the job is about, up to 512 characters. Of one subject only the latest generation runs. */
  readonly subjectKey?: string
  /** Version of the subject; default: one more than the latest. An older one is recorded SUPERSEDED at once. */
  readonly generation?: number
  /**
   * What to do with an older job of the same subject that waits: `supersede` it (default), or `keep` it and return it
   * instead of adding a job.
   */
  readonly onConflict?: 'supersede' | 'keep'
  /** What to do with an older job of the same subject that runs: `abort` fires its signal (default), `finish` lets it end. */
  readonly onRunning?: 'abort' | 'finish'
  /** The same key, while its job is retained, returns the first job. Up to 512 characters. */
  readonly idempotencyKey?: string
  /** What you find the job by later, as do `list` and `cancel`; many jobs may share it. 1 to 128 characters. */
  readonly userTag?: string
  /** The group of jobs that it belongs to, found in the same way. 1 to 128 characters. Children inherit neither. */
  readonly chainGroupId?: string
  /** Overrides fields of the job type's retry policy. */
  readonly retry?: Partial<RetryPolicy>
  /** Overrides the job type's time limit of an attempt, in milliseconds, 1 to 604,800,000 (a week). */
  readonly timeoutMs?: number
  /**
   * No attempt begins after this instant, given as a Date or in milliseconds since the epoch: a job that waits by then
   * ends as SKIPPED_DEADLINE, at once when it is past already. An attempt that has begun goes on.
   */
  readonly deadline?: Date | number
  /**
   * The longest wait from enqueue until the first attempt begins, in milliseconds, 1 to 31,536,000,000 (a year); after it
   * the job ends as SKIPPED_TTL.
   */
  readonly ttlMs?: number
}

export const defaultQueue = 'default'
export const defaultPriority = 0
export const lowestPriority = -100
const highestPriority = 100
const maxKeyCharacters = 512
const maxLabelCharacters = 128
/** One year. */
const maxTtlMs = 31_536_000_000
/** What a Date can hold. */
const maxDateMs = 8.64e15
export const maxGeneration = Number.MAX_SAFE_INTEGER - 1

const queuePattern = /^[\w-]{1,64}$/

const optionNames: ReadonlySet<string> = new Set<keyof EnqueueOptions>([
  'queue',
  'priority',
  'subjectKey',
  'generation',
  'onConflict',
  'onRunning',
  'idempotencyKey',
  'userTag',
  'chainGroupId',
  'retry',
  'timeoutMs',
  'deadline',
  'ttlMs',
])

/** @throws OPTION_INVALID naming the option, its value and what is allowed */
export function checkEnqueueOptions(options: EnqueueOptions): void {
  checkFields('options', options)
  for (const name of Object.keys(options)) {
    if (!optionNames.has(name))
      throw invalidOption(name, 'not an option of enqueue', [...optionNames].join(', '))
  }
  const { queue, priority, subjectKey, generation, onConflict, onRunning, idempotencyKey } = options
  const { userTag, chainGroupId, retry, timeoutMs } = options
  if (queue !== undefined) checkQueue(queue)
  if (priority !== undefined) checkNumber('priority', priority, lowestPriority, highestPriority, true)
  if (subjectKey !== undefined) checkKey('subjectKey', subjectKey)
  if (idempotencyKey !== undefined) checkKey('idempotencyKey', idempotencyKey)
  if (userTag !== undefined) checkLabel('userTag', userTag)
  if (chainGroupId !== undefined) checkLabel('chainGroupId', chainGroupId)
  if (generation !== undefined) checkNumber('generation', generation, 0, maxGeneration, true)
  if (generation !== undefined && subjectKey === undefined) {
    throw invalidOption('generation', 'given without a subjectKey', 'a generation together with a subjectKey')
  }
  if (onConflict !== undefined && onConflict !== 'supersede' && onConflict !== 'keep') {
    throw invalidOption('onConflict', describe(onConflict), "'supersede' or 'keep'")
  }
  if (onRunning !== undefined && onRunning !== 'abort' && onRunning !== 'finish') {
    throw invalidOption('onRunning', describe(onRunning), "'abort' or 'finish'")
  }
  if (retry !== undefined) checkRetry('retry', retry)
  if (timeoutMs !== undefined) checkNumber('timeoutMs', timeoutMs, 1, maxTimeoutMs)
  if (options.deadline !== undefined) checkDeadline(options.deadline)
  if (options.ttlMs !== undefined) checkNumber('ttlMs', options.ttlMs, 1, maxTtlMs)
}

/** The options as they are now: what the caller does to the object later changes no job. */
export function copyOptions(options: EnqueueOptions | undefined): EnqueueOptions | undefined {
  if (options === undefined) return undefined
  const { retry, deadline } = options
  return {
    ...options,
    ...(retry === undefined ? {} : { retry: { ...retry } }),
    ...(deadline === undefined ? {} : { deadline: Number(deadline) }),
  }
}

function checkDeadline(deadline: unknown): void {
  const ms = deadline instanceof Date ? deadline.getTime() : deadline
  if (typeof ms === 'number' && ms >= 0 && ms <= maxDateMs) return
  throw invalidOption('deadline', describe(deadline), 'a valid Date, or milliseconds since the epoch')
}

/** @throws OPTION_INVALID when it is no name of a queue */
export function checkQueue(queue: unknown): void {
  if (typeof queue !== 'string' || !queuePattern.test(queue))
    throw invalidOption('queue', describe(queue), '1 to 64 of A-Z, a-z, 0-9, _ and -')
}

/** @throws OPTION_INVALID when a job cannot have this key */
export function checkKey(name: string, key: unknown): void {
  checkText(name, key, maxKeyCharacters)
}

/** @throws OPTION_INVALID when a job cannot have this tag or group */
export function checkLabel(name: string, label: unknown): void {
  checkText(name, label, maxLabelCharacters)
}

/** Half a surrogate pair is stored as a replacement character: two texts would become one. */
function checkText(name: string, text: unknown, maxCharacters: number): void {
  const fits =
    typeof text === 'string' &&
    text.length > 0 &&
    text.length <= maxCharacters &&
    !text.includes('\0') &&
    text.isWellFormed()
  if (!fits)
    throw invalidOption(
      name,
      describe(text),
      `1 to ${maxCharacters} characters of well-formed text without NUL`,
    )
}
