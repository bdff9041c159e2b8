import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, invalidOption } from '../errors.ts'
import type { JobContext } from './context.ts'
import {
  findNamedFaults,
  type NamedProgram,
  type ProgramAdditions,
  type ProgramPayload,
  type ProgramResult,
  programSchema,
} from './program.ts'
import { type RetryPolicy, retryBounds } from './retry.ts'

/** The longest time limit of an attempt: one week. */
export const maxTimeoutMs = 604_800_000
const maxOverlap = 1_000
export const defaultGraceMs = 5_000
const maxGraceMs = 3_600_000

/** What one job type is: its payload, its policy, and the function that does the work. */
export interface JobDefinition<Payload = unknown, Result = unknown> {
  /** Validates the payload, at enqueue and again in the thread; the handler gets its output. Any Standard Schema. */
  readonly payload?: Payload
  /** Retry policy; a job's own `retry` wins field by field. */
  readonly retry?: Partial<RetryPolicy>
  /** Time limit of one attempt in milliseconds, counted from when its handler begins, 1 to 604,800,000 (a week). Default: none. */
  readonly timeoutMs?: number
  /**
   * How long a handler may go on after its signal fired (cancel, time limit, a newer generation), in milliseconds, 0 to
   * 3,600,000. Then its thread is ended and replaced, and nothing else is charged for it. Default 5,000.
   */
  readonly graceMs?: number
  /** How many handlers of this type one thread may have begun at a time, 1 to 1,000. Default 1. For handlers that wait. */
  readonly overlap?: number
  /** Does the work. What it returns is stored as the job's result; what it throws fails the attempt. */
  run(payload: HandlerInput<Payload>, context: JobContext): Result
  readonly execution?: undefined
}

/** A job type whose jobs are programs, each in a process of its own. No thread waits for them. */
export interface ProgramDefinition {
  readonly execution: 'subprocess'
  readonly run?: undefined
  /** The program of all these jobs. Their payload may add to it: `args`, `env`, `cwd`, `stdin`. Default: each names its own. */
  readonly program?: NamedProgram
  /** Retry policy; a job's own `retry` wins field by field. */
  readonly retry?: Partial<RetryPolicy>
  /** Time limit of one attempt in milliseconds, counted from when its program begins, 1 to 604,800,000 (a week). Default: none. */
  readonly timeoutMs?: number
  /**
   * How long the program may go on after SIGTERM (cancel, time limit, a newer generation, stop), in milliseconds, 0 to
   * 3,600,000. Then it gets SIGKILL, with all of its process group. Default 5,000.
   */
  readonly graceMs?: number
}

type HandlerInput<Payload> = Payload extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Payload>
  : unknown

// biome-ignore lint/suspicious/noExplicitAny: the one place where definitions of every payload and result meet
export type AnyJobDefinition = JobDefinition<any, any>
/** As a user writes it. */
type GivenDefinition = AnyJobDefinition | ProgramDefinition
export type JobDefinitions = Readonly<Record<string, AnyJobDefinition>>

/** Recognises a module made by any copy of this package. */
const moduleMark = Symbol.for('semantica-task-engine.jobs')

export interface JobsModule<Definitions = JobDefinitions> {
  readonly url: string
  readonly definitions: Definitions
}

/** What `enqueue` takes for a job type: the input of its validator. */
export type PayloadOf<Definition> = Definition extends ProgramDefinition
  ? ProgramPayloadOf<Definition>
  : ValidatedPayloadOf<Definition>

type ProgramPayloadOf<Definition> = Definition extends { readonly program: NamedProgram }
  ? ProgramAdditions | undefined
  : ProgramPayload

type ValidatedPayloadOf<Definition> = Definition extends {
  readonly payload: infer Payload extends StandardSchemaV1
}
  ? StandardSchemaV1.InferInput<Payload>
  : unknown

/** What `job.result()` resolves to. */
export type ResultOf<Definition> = Definition extends ProgramDefinition
  ? ProgramResult
  : ReturnedBy<Definition>

type ReturnedBy<Definition> = Definition extends { run(...parameters: never[]): infer Returned }
  ? Awaited<Returned>
  : unknown

/**
 * Declares the job types that a module serves. Make it the module's default export: pool threads import the module
 * by `url`, so handlers must live in a file of their own, and heavy imports belong inside the handlers.
 *
 * @param url `import.meta.url` of the module
 * @throws OPTION_INVALID when a definition is malformed
 * @example
 * export default defineJobs(import.meta.url, {
 *   RESIZE_IMAGE: { payload: z.object({ path: z.string() }), async run({ path }) { return { width: 800 } } },
 * })
 */
export function defineJobs<
  Payloads,
  Definitions extends {
    readonly [Type in keyof Payloads]: JobDefinition<Payloads[Type]> | ProgramDefinition
  },
>(
  url: string,
  definitions: Definitions & {
    readonly [Type in keyof Payloads]: JobDefinition<Payloads[Type]> | ProgramDefinition
  },
): JobsModule<Definitions> {
  if (!/^(file|data):/.test(url)) {
    throw invalidOption('the url of defineJobs', describe(url), "the module's own `import.meta.url`")
  }
  if (typeof definitions !== 'object' || definitions === null) {
    throw invalidOption('the job types of defineJobs', describe(definitions), 'an object of job types')
  }
  const completed = Object.fromEntries(
    Object.entries<GivenDefinition>(definitions).map(([type, definition]) => {
      checkDefinition(type, definition)
      return [type, isProgram(definition) ? withSchema(definition) : definition]
    }),
  )
  // The boundary: whoever enqueues sees what was given; whoever loads handlers gives programs theirs.
  return Object.freeze({ [moduleMark]: true, url, definitions: Object.freeze(completed) as Definitions })
}

/** Whether the jobs are programs. */
export function isProgram(definition: object): definition is ProgramDefinition {
  return 'execution' in definition && definition.execution === 'subprocess'
}

/** What such a job needs besides a handler, which it gets in a thread: a validator, and that waiting costs it nothing. */
function withSchema(definition: ProgramDefinition): object {
  return { ...definition, payload: programSchema(definition.program), overlap: maxOverlap }
}

export function isJobsModule(value: unknown): value is JobsModule {
  return typeof value === 'object' && value !== null && moduleMark in value
}

const fieldNames: ReadonlySet<string> = new Set<keyof JobDefinition>([
  'payload',
  'retry',
  'timeoutMs',
  'graceMs',
  'overlap',
  'run',
])

const programFieldNames: ReadonlySet<string> = new Set<keyof ProgramDefinition>([
  'execution',
  'program',
  'retry',
  'timeoutMs',
  'graceMs',
])

const jobTypePattern = /^[^\0\s][^\0]{0,127}$/

function checkDefinition(type: string, definition: GivenDefinition): void {
  if (!jobTypePattern.test(type) || !type.isWellFormed()) {
    throw invalidOption('job type', describe(type), '1 to 128 characters, not beginning with a space')
  }
  if (definition?.execution !== undefined) {
    checkProgramDefinition(type, definition)
    return
  }
  const run: unknown = definition?.run
  if (typeof run !== 'function') throw invalidOption(`${type}.run`, describe(run), 'a function')
  checkFieldNames(type, definition, fieldNames)
  const { payload, overlap } = definition
  if (payload !== undefined && typeof payload?.['~standard']?.validate !== 'function') {
    throw invalidOption(
      `${type}.payload`,
      describe(payload),
      'a Standard Schema validator, such as a zod schema',
    )
  }
  if (overlap !== undefined) checkNumber(`${type}.overlap`, overlap, 1, maxOverlap, true)
  checkLimits(type, definition)
}

function checkProgramDefinition(type: string, definition: ProgramDefinition): void {
  const { execution }: { readonly execution: unknown } = definition
  if (execution !== 'subprocess')
    throw invalidOption(`${type}.execution`, describe(execution), "'subprocess', or nothing")
  checkFieldNames(type, definition, programFieldNames)
  const { program } = definition
  if (program !== undefined) {
    const [fault] = findNamedFaults(program)
    if (fault !== undefined)
      throw invalidOption([`${type}.program`, ...fault.path].join('.'), fault.found, fault.allowed)
  }
  checkLimits(type, definition)
}

function checkFieldNames(type: string, definition: object, known: ReadonlySet<string>): void {
  const unknown = Object.keys(definition).find((name) => !known.has(name))
  if (unknown !== undefined)
    throw invalidOption(`${type}.${unknown}`, 'not a field of a job type', [...known].join(', '))
}

function checkLimits(type: string, { timeoutMs, graceMs, retry }: GivenDefinition): void {
  if (timeoutMs !== undefined) checkNumber(`${type}.timeoutMs`, timeoutMs, 1, maxTimeoutMs)
  if (graceMs !== undefined) checkNumber(`${type}.graceMs`, graceMs, 0, maxGraceMs)
  if (retry !== undefined) checkRetry(`${type}.retry`, retry)
}

/** @throws OPTION_INVALID naming the field that is out of bounds or unknown */
export function checkRetry(name: string, retry: Partial<RetryPolicy>): void {
  if (typeof retry !== 'object' || retry === null) throw invalidOption(name, describe(retry), 'an object')
  for (const [field, value] of Object.entries(retry)) {
    if (!Object.hasOwn(retryBounds, field)) {
      throw invalidOption(
        `${name}.${field}`,
        'not a field of a retry policy',
        Object.keys(retryBounds).join(', '),
      )
    }
    const [minimum, maximum] = retryBounds[field as keyof RetryPolicy]
    checkNumber(`${name}.${field}`, value, minimum, maximum, field === 'maxAttempts')
  }
}

/** @throws OPTION_INVALID when `value` is not an object with named fields: nothing, a list or a map would pass as no options */
export function checkFields(name: string, value: unknown, allowed = 'an object'): asserts value is object {
  if (typeof value !== 'object' || value === null || Symbol.iterator in value)
    throw invalidOption(name, describe(value), allowed)
}

/** @throws OPTION_INVALID when `value` is not a number within the bounds, both ends included */
export function checkNumber(
  name: string,
  value: unknown,
  minimum: number,
  maximum: number,
  whole = false,
): asserts value is number {
  const fits =
    typeof value === 'number' && value >= minimum && value <= maximum && (!whole || Number.isInteger(value))
  if (!fits) {
    const kind = whole ? 'a whole number' : 'a number'
    throw invalidOption(
      name,
      describe(value),
      `${kind} from ${minimum.toLocaleString('en')} to ${maximum.toLocaleString('en')}`,
    )
  }
}
