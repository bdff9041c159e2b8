/**
 * Every error that a user can meet, in one registry. Match on `code`, never on the class or the text: two copies
 * of this package may meet in one process, and an error that crossed a thread has lost its class.
 *
 * A code, once published, keeps its meaning; a retired one is never used again. README.md lists them all, and a
 * test holds the two lists against each other.
 */

import { describe } from './errors/describe.ts'
import { type PlainError, plainErrorOf } from './errors/plain-error.ts'

export { describe } from './errors/describe.ts'
export { type PlainError, textWithCauses } from './errors/plain-error.ts'

/** The kind of an error, with the number it has in JSON-RPC answers. */
const rpcNumbers = {
  validation: 4000,
  'not-found': 4001,
  conflict: 4002,
  throttled: 4003,
  internal: 5000,
  database: 5001,
  system: 5002,
} as const

export type ErrorKind = keyof typeof rpcNumbers

interface ErrorEntry {
  readonly kind: ErrorKind
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retryable: boolean
  /** What it means, in one sentence. README.md repeats it word for word. */
  readonly meaning: string
}

export const errorRegistry = {
  OPTION_INVALID: {
    kind: 'validation',
    retryable: false,
    meaning: 'An option has a value that is not allowed.',
  },
  CONFIG_INVALID: {
    kind: 'validation',
    retryable: false,
    meaning: 'The configuration file cannot be loaded.',
  },
  PAYLOAD_INVALID: {
    kind: 'validation',
    retryable: false,
    meaning: "The payload does not pass the job type's validator.",
  },
  PAYLOAD_NOT_JSON: {
    kind: 'validation',
    retryable: false,
    meaning: 'The payload holds something that JSON cannot carry.',
  },
  PAYLOAD_TOO_LARGE: { kind: 'validation', retryable: false, meaning: 'The payload is larger than 10 MB.' },
  BULK_TOO_LARGE: {
    kind: 'validation',
    retryable: false,
    meaning: 'One atomic enqueueMany holds more than 10,000 jobs or 10 MB.',
  },
  JOB_TYPE_UNKNOWN: { kind: 'validation', retryable: false, meaning: 'No handler serves this job type.' },
  JOB_ID_INVALID: {
    kind: 'validation',
    retryable: false,
    meaning: 'The text is not a job id, or is one of another database.',
  },
  CURSOR_INVALID: {
    kind: 'validation',
    retryable: false,
    meaning: 'The cursor did not come from a list call.',
  },
  JOBS_MODULE_INVALID: {
    kind: 'validation',
    retryable: false,
    meaning: 'A jobs, actor or set-up module cannot be loaded, or does not export what it must.',
  },
  JOB_UNKNOWN: {
    kind: 'not-found',
    retryable: false,
    meaning: 'No job has this id; it may have been pruned.',
  },
  ACTOR_UNKNOWN: {
    kind: 'not-found',
    retryable: false,
    meaning: 'The engine was started without an actor of this name.',
  },
  JOB_NOT_FINISHED: { kind: 'conflict', retryable: true, meaning: 'The job has no outcome yet.' },
  HANDLER_ENDED: {
    kind: 'conflict',
    retryable: false,
    meaning: 'The context of a job was used after its handler had ended.',
  },
  JOB_FAILED: { kind: 'conflict', retryable: false, meaning: 'The job ended as FAILED; `cause` says why.' },
  JOB_CANCELLED: { kind: 'conflict', retryable: false, meaning: 'The job was cancelled.' },
  SUPERSEDED: {
    kind: 'conflict',
    retryable: false,
    meaning: 'A newer generation of the same subject took the place of this job; `supersededBy` names it.',
  },
  JOB_SKIPPED: {
    kind: 'conflict',
    retryable: false,
    meaning: 'The job was not started before its deadline or time to live ran out.',
  },
  DATABASE_LOCKED: { kind: 'conflict', retryable: true, meaning: 'Another engine has this database open.' },
  ENGINE_STOPPED: { kind: 'conflict', retryable: false, meaning: 'The engine is stopping or has stopped.' },
  METRICS_OFF: { kind: 'conflict', retryable: false, meaning: 'The engine was started without metrics.' },
  OVERLOADED: {
    kind: 'throttled',
    retryable: true,
    meaning: 'A queue in memory is full; wait for `engine.ready()` and try again.',
  },
  MESSAGE_NOT_CLONEABLE: {
    kind: 'validation',
    retryable: false,
    meaning: 'A message, a reply or an option cannot be sent to another thread.',
  },
  ACTOR_RESTARTED: {
    kind: 'throttled',
    retryable: true,
    meaning: 'The actor died while it held this request, and is being started again.',
  },
  ACTOR_FAILED: {
    kind: 'internal',
    retryable: false,
    meaning:
      'The actor refused the request, or died more often than its restart budget allows, and is tried again later.',
  },
  ENGINE_FAILED: {
    kind: 'internal',
    retryable: false,
    meaning: 'The supervisor thread died; start the engine again, nothing acknowledged is lost.',
  },
  START_FAILED: {
    kind: 'internal',
    retryable: false,
    meaning: 'A thread of the engine did not become ready.',
  },
  RESULT_NOT_JSON: {
    kind: 'validation',
    retryable: false,
    meaning: 'The handler returned or summarized something that JSON cannot carry.',
  },
  RESULT_TOO_LARGE: {
    kind: 'validation',
    retryable: false,
    meaning:
      'The handler returned or summarized more than 10 MB, or a program gave more than is kept of its output.',
  },
  ARTIFACT_INVALID: {
    kind: 'validation',
    retryable: false,
    meaning: 'An artifact has a name that is not allowed, or data that cannot be kept.',
  },
  ARTIFACT_FAILED: { kind: 'system', retryable: true, meaning: 'An artifact could not be written.' },
  JOB_LOG_FAILED: { kind: 'system', retryable: true, meaning: 'The log of a job could not be written.' },
  TRACE_FAILED: {
    kind: 'system',
    retryable: true,
    meaning: 'A span of a job could not be recorded: the SDK for traces throws.',
  },
  ARTIFACTS_NOT_PRUNED: {
    kind: 'system',
    retryable: true,
    meaning:
      'Logs and artifacts whose time is over could not be deleted: a folder is a link, or may not be read or written.',
  },
  MAINTENANCE_FAILED: {
    kind: 'system',
    retryable: true,
    meaning: 'A run of maintenance failed with what has no code of its own; `cause` says with what.',
  },
  SUBPROCESS_INVALID: {
    kind: 'validation',
    retryable: false,
    meaning: 'The program of a job cannot be started: its command, folder or environment is wrong.',
  },
  SUBPROCESS_FAILED: {
    kind: 'system',
    retryable: true,
    meaning: 'The program of a job ended with an exit code other than 0, or by a signal.',
  },
  DATABASE_FOREIGN: {
    kind: 'database',
    retryable: false,
    meaning: 'The file is not a database of this engine.',
  },
  DATABASE_CORRUPT: { kind: 'database', retryable: false, meaning: 'The database file is damaged.' },
  DATABASE_NEWER: {
    kind: 'database',
    retryable: false,
    meaning: 'The database was written by a newer version of the engine.',
  },
  DATABASE_OLDER: {
    kind: 'database',
    retryable: false,
    meaning: 'The schema of the database has to be brought up to date before it can be read.',
  },
  MIGRATION_EDITED: {
    kind: 'database',
    retryable: false,
    meaning: 'A migration that was applied differs from the one in this version.',
  },
  MIGRATION_FAILED: {
    kind: 'database',
    retryable: false,
    meaning: 'A migration could not be applied or reverted; the database is as it was.',
  },
  MIGRATION_LOSES_DATA: {
    kind: 'conflict',
    retryable: false,
    meaning: 'Going back to an older schema would drop data.',
  },
  DATABASE_READ_ONLY: {
    kind: 'database',
    retryable: false,
    meaning: 'The database file or its folder cannot be written.',
  },
  DATABASE_MOVED: {
    kind: 'database',
    retryable: false,
    meaning: 'The database file was moved, replaced or deleted while the engine had it open.',
  },
  DISK_FULL: { kind: 'database', retryable: true, meaning: 'There is no space left for the database.' },
  DATABASE_FAILED: { kind: 'database', retryable: true, meaning: 'SQLite refused a statement.' },
  BACKUP_TARGET_EXISTS: {
    kind: 'conflict',
    retryable: false,
    meaning: 'Something exists already where a backup was to be written.',
  },
  BACKUP_FAILED: {
    kind: 'system',
    retryable: true,
    meaning: 'A backup could not be written; nothing is left of it.',
  },
  FILE_SYSTEM_UNSUPPORTED: {
    kind: 'system',
    retryable: false,
    meaning: 'The database lies on a network file system, where SQLite locks cannot be trusted.',
  },
  TELEMETRY_MISSING: {
    kind: 'system',
    retryable: false,
    meaning: 'A package that exports traces is wanted, but not installed.',
  },
  PORT_UNAVAILABLE: {
    kind: 'system',
    retryable: true,
    meaning: 'A port that was to be opened is in use, or may not be opened.',
  },
  PATH_INVALID: {
    kind: 'system',
    retryable: false,
    meaning: 'A path does not exist, is of the wrong kind, or may not be read.',
  },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorRegistry

export interface ErrorFacts {
  /** What was found: the value, path or state that is wrong. */
  readonly found: string
  /** What would have been accepted. */
  readonly allowed?: string
  /** What the reader can do about it. */
  readonly action: string
  /** Facts for programs, such as `supersededBy` or the names of invalid fields. Must survive JSON. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** The class of every error that the engine itself raises. */
export class SemanticaError extends Error {
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: Pick<ErrorFacts, 'details' | 'cause'> = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SemanticaError'
    this.code = code
    this.details = options.details ?? {}
  }

  get kind(): ErrorKind {
    return errorRegistry[this.code].kind
  }

  get rpcCode(): number {
    return rpcNumbers[this.kind]
  }

  get retryable(): boolean {
    return errorRegistry[this.code].retryable
  }

  /** The id of the job that took this one's place, on `SUPERSEDED`. */
  get supersededBy(): string | undefined {
    const { supersededBy } = this.details
    return typeof supersededBy === 'string' ? supersededBy : undefined
  }
}

/**
 * Builds an error of the registry. The text always says what was found, what is allowed and what to do.
 *
 * @example throw engineError('OPTION_INVALID', { found: 'threads = 0', allowed: '1 to 256', action: 'Correct it.' })
 */
export function engineError(code: ErrorCode, facts: ErrorFacts): SemanticaError {
  const allowed = facts.allowed === undefined ? '' : ` Allowed: ${ended(facts.allowed)}`
  return new SemanticaError(code, `${ended(facts.found)}${allowed} ${facts.action}`, facts)
}

/** What others say, as the error of a handler, may end a sentence by itself. */
const ended = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)

/** Turns anything that was thrown, errors or not, into plain data, with its causes. Never throws. */
export function toPlainError(thrown: unknown): PlainError {
  return plainErrorOf(thrown, isErrorCode)
}

/** Rebuilds an engine error on the other side of a thread; anything else becomes an Error of the same text. */
export function fromPlainError(plain: PlainError): Error {
  const { message, code, stack, details, cause, errors } = plain
  const options = cause === undefined ? {} : { cause: fromPlainError(cause) }
  if (code !== undefined && isErrorCode(code)) {
    const error = new SemanticaError(code, message, details === undefined ? options : { ...options, details })
    return stack === undefined ? error : Object.assign(error, { stack })
  }
  const error =
    errors === undefined
      ? new Error(message, options)
      : new AggregateError(errors.map(fromPlainError), message, options)
  const { name } = plain
  return Object.assign(
    error,
    { name },
    code === undefined ? {} : { code },
    stack === undefined ? {} : { stack },
  )
}

/** Whether `thrown` is an engine error with this code, whichever copy of the package made it. */
export function hasCode(thrown: unknown, code: ErrorCode): boolean {
  try {
    return thrown instanceof Error && 'code' in thrown && thrown.code === code
  } catch {
    // A proxy may throw at whatever it is asked.
    return false
  }
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorRegistry, code)
}

/** For the last branch of an exhaustive switch: a compile error when a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`Unreachable: ${describe(value)}`)
}

/** For what only a mistake in this package can cause. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`Broken assumption: ${what}`)
}

/** OPTION_INVALID: something that a caller passed is not as it must be. */
export function invalidOption(name: string, found: string, allowed: string): SemanticaError {
  return engineError('OPTION_INVALID', {
    found: `${name} is ${found}`,
    allowed,
    action: 'Correct it.',
    details: { option: name },
  })
}
