/**
 * The words for jobs that are programs: what such a job is given, what comes out, and what its pool thread and the actor
 * that runs programs tell each other. Pure.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { PlainError } from '../errors.ts'

/** The name of the built-in actor that starts and ends programs. */
export const subprocessesName = 'subprocesses'
/** The built-in job type whose payload names its program. */
export const builtInProgramType = 'SUBPROCESS'

/** The payload of a job that is a program. */
export interface ProgramPayload {
  /** A path, or a name that is looked for in the PATH that the program itself gets. */
  readonly command: string
  readonly args?: readonly string[]
  /**
   * Added to the allowed part of the engine's own environment; wins over it. Names are letters, digits and `_`. `PWD` is
   * always the folder in which the program runs.
   */
  readonly env?: Readonly<Record<string, string>>
  /** Folder in which it runs. Default: that of the engine's process. */
  readonly cwd?: string
  /** Text for its standard input, which is closed after it. Default: an empty input. */
  readonly stdin?: string
}

/** The program that a job type names for all of its jobs. */
export type NamedProgram = Omit<ProgramPayload, 'stdin'>

/** The payload of a job type that names its program: `args` come after the type's own, `env` and `cwd` win over them. */
export type ProgramAdditions = Omit<ProgramPayload, 'command'>

/** The values that a payload puts into the environment of its program; none where it is not such a payload. */
export function envValuesOf(payload: unknown): string[] {
  const env = typeof payload === 'object' && payload !== null && 'env' in payload ? payload.env : undefined
  if (typeof env !== 'object' || env === null) return []
  return Object.values(env).filter((value) => typeof value === 'string')
}

/** How much of the end of a program's output is told. */
export const outputTailCharacters = 4_000
/** Fewer are no secret by themselves. */
const cutValueCharacters = 4

/**
 * The end of a program's output without what it begins with, if that may be the rest of a value that was cut: nobody who
 * looks for the whole value would find it.
 */
export function withoutCutValue(tail: string, values: Iterable<string>): string {
  if (tail.length < outputTailCharacters) return tail
  let cut = 0
  for (const value of [...values].flatMap((one) => [one, JSON.stringify(one).slice(1, -1)])) {
    for (let length = value.length - 1; length >= Math.max(cut, cutValueCharacters); length--)
      if (tail.startsWith(value.slice(-length))) cut = length
  }
  return tail.slice(cut)
}

/** What a program's job results in. */
export interface ProgramResult {
  readonly exitCode: 0
  /**
   * What it wrote, as JSON, to the file named in SEMANTICA_RESULT_FILE; or else the last line of its standard output, if
   * that is a JSON object.
   */
  readonly result?: unknown
  /** The last 4,000 characters of what it wrote. */
  readonly stdoutTail: string
  readonly stderrTail: string
}

/** A run of a program, as the pool thread asks for it. */
export interface ProgramRequest extends ProgramPayload {
  /** Unlike that of any other run, ever: the program and its children carry it in their environment. */
  readonly runId: string
  readonly jobId: string
  readonly attempt: number
  /** Of one subject, as of one job, only one program runs at a time. */
  readonly subjectKey: string | undefined
  readonly generation: number | undefined
  /** How long it may go on after SIGTERM, in milliseconds. */
  readonly graceMs: number
}

export type SubprocessMessage =
  /** Answered with a StartReply, once the program has begun; it waits for its turn before. */
  | { readonly kind: 'start'; readonly request: ProgramRequest }
  /** Answered with a ProgramEnd, once the program and its children are gone. */
  | { readonly kind: 'wait'; readonly runId: string }
  /** The program is to give way. Answered at once, with null. */
  | { readonly kind: 'end'; readonly runId: string }
  /** The same, and nobody will wait for it: it is forgotten. */
  | { readonly kind: 'give-up'; readonly runId: string }

export type StartReply =
  | { readonly kind: 'begun' }
  /** It was told to give way before its turn came, or a newer run of its job or subject is there. */
  | { readonly kind: 'gave-way' }

export interface ProgramEnd {
  readonly exitCode: number | null
  readonly signal: string | null
  /** Whether it was sent SIGTERM by us before it ended. */
  readonly wasSignalled: boolean
  readonly stdoutTail: string
  readonly stderrTail: string
  /** JSON texts. */
  readonly fileResult: string | undefined
  readonly lineResult: string | undefined
  /** Why what it left as its result cannot be read. */
  readonly resultFault: PlainError | undefined
  /** Why its output could not be kept. */
  readonly logFailure: PlainError | undefined
}

const additionFields: ReadonlySet<string> = new Set<keyof ProgramAdditions>(['args', 'env', 'cwd', 'stdin'])
const payloadFields: ReadonlySet<string> = new Set(['command', ...additionFields])

/** What is wrong with the parts of a program, by place; empty: nothing. `named` is what its job type gives. */
export function findProgramFaults(
  value: unknown,
  named: NamedProgram | undefined,
): { readonly path: readonly string[]; readonly message: string }[] {
  if (named !== undefined && (value === null || value === undefined)) return []
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [{ path: [], message: 'must be an object' }]
  const faults: { path: readonly string[]; message: string }[] = []
  const fields = named === undefined ? payloadFields : additionFields
  for (const name of Object.keys(value)) {
    if (fields.has(name)) continue
    const known = [...fields].join(', ')
    const message =
      name === 'command' ? 'is given by the job type already' : `is not a field of a program: ${known}`
    faults.push({ path: [name], message })
  }
  // The boundary where the payload's fields are looked at one by one.
  const { command, args, env, cwd, stdin } = value as Readonly<Record<string, unknown>>
  if (named === undefined && (!isText(command) || command === ''))
    faults.push({ path: ['command'], message: 'must be a text of at least 1 character, without NUL' })
  if (args !== undefined && !(Array.isArray(args) && args.every(isText)))
    faults.push({ path: ['args'], message: 'must be an array of texts without NUL' })
  faults.push(...findEnvFaults(env))
  if (cwd !== undefined && (!isText(cwd) || cwd === ''))
    faults.push({ path: ['cwd'], message: 'must be the path of a folder' })
  if (stdin !== undefined && typeof stdin !== 'string')
    faults.push({ path: ['stdin'], message: 'must be a text' })
  return faults
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0')
}

/**
 * Whether a program gets to see an environment variable of this name. It is started by a shell, which drops other names or
 * not, from one shell to the next.
 */
export function isVariableName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
}

/** Variables of the shell itself: what a program is to get in them would not arrive. */
const shellVariables: ReadonlySet<string> = new Set(['IFS', 'OPTIND', 'PPID', '_'])

function findEnvFaults(env: unknown): { readonly path: readonly string[]; readonly message: string }[] {
  if (env === undefined) return []
  if (typeof env !== 'object' || env === null || Array.isArray(env))
    return [{ path: ['env'], message: 'must be an object of texts' }]
  return Object.entries(env).flatMap(([name, text]) => {
    const message = envFault(name, text)
    return message === undefined ? [] : [{ path: ['env', name], message }]
  })
}

function envFault(name: string, text: unknown): string | undefined {
  if (!isVariableName(name))
    return `the name ${JSON.stringify(name)} must be letters, digits and _, and not begin with a digit`
  if (shellVariables.has(name)) return `${name} belongs to the shell that starts the program`
  return isText(text) ? undefined : 'must be a text without NUL'
}

/** The validator of a program's payload; its output is the whole program. */
export function programSchema(named: NamedProgram | undefined): StandardSchemaV1<unknown, ProgramPayload> {
  return {
    '~standard': {
      version: 1,
      vendor: 'semantica-task-engine',
      validate(value) {
        const issues = findProgramFaults(value, named)
        if (issues.length > 0) return { issues }
        // The boundary: nothing was found that is not as the types say.
        return { value: withNamed(named, value as ProgramPayload | null | undefined) }
      },
    },
  }
}

function withNamed(
  named: NamedProgram | undefined,
  given: Partial<ProgramPayload> | null | undefined,
): ProgramPayload {
  const program = { ...named, ...given }
  return {
    ...program,
    command: program.command ?? '',
    args: [...(named?.args ?? []), ...(given?.args ?? [])],
    env: { ...named?.env, ...given?.env },
  }
}
