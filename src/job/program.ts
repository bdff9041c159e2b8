/**
 * The words for jobs that are programs: what such a job is given, what comes out, and what its pool thread and the actor
 * that runs programs tell each other. Pure.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, type PlainError } from '../errors.ts'

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

/** A part of a program that is not as it must be. */
export interface ProgramFault {
  readonly path: readonly string[]
  /** In few words, and never what may be a secret: what programs are given in their environment or input. */
  readonly found: string
  readonly allowed: string
  /** Both in one sentence, after the name of the place. */
  readonly message: string
}

const namedFields: readonly string[] = ['command', 'args', 'env', 'cwd'] satisfies (keyof NamedProgram)[]
const additionFields: readonly string[] = ['args', 'env', 'cwd', 'stdin'] satisfies (keyof ProgramAdditions)[]
const payloadFields: readonly string[] = [...namedFields, 'stdin']

/** What is wrong with a payload, by place; empty: nothing. `named` is what its job type gives. */
function findProgramFaults(value: unknown, named: NamedProgram | undefined): ProgramFault[] {
  if (named === undefined) return findFaults(value, payloadFields)
  return value === null || value === undefined ? [] : findFaults(value, additionFields)
}

/** The same of what a job type names for all of its jobs. */
export function findNamedFaults(value: unknown): ProgramFault[] {
  return findFaults(value, namedFields)
}

function findFaults(value: unknown, fields: readonly string[]): ProgramFault[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [unfit([], kindOf(value), 'an object')]
  // The boundary where the fields are looked at one by one.
  const { command, args, env, cwd, stdin } = value as Readonly<Record<string, unknown>>
  const faults: ProgramFault[] = []
  for (const name of Object.keys(value)) {
    if (fields.includes(name)) continue
    faults.push(
      name === 'command'
        ? unwanted([name], 'given by the job type already', 'no command')
        : unwanted([name], 'not a field of a program', fields.join(', ')),
    )
  }
  if (fields.includes('command') && (!isText(command) || command === ''))
    faults.push(unfit(['command'], foundIn(command), 'a text of at least 1 character, without NUL'))
  if (args !== undefined) faults.push(...findArgsFaults(args))
  if (env !== undefined) faults.push(...findEnvFaults(env))
  if (cwd !== undefined && (!isText(cwd) || cwd === ''))
    faults.push(unfit(['cwd'], foundIn(cwd), 'the path of a folder'))
  if (fields.includes('stdin') && stdin !== undefined && typeof stdin !== 'string')
    faults.push(unfit(['stdin'], kindOf(stdin), 'a text'))
  return faults
}

/** A value that does not fit. */
function unfit(path: readonly string[], found: string, allowed: string): ProgramFault {
  return { path, found, allowed, message: `must be ${allowed}, not ${found}` }
}

/** Something that must not be there at all. */
function unwanted(path: readonly string[], found: string, allowed: string): ProgramFault {
  return { path, found, allowed, message: `is ${found}: ${allowed}` }
}

/** What is in an object may be a secret. */
function foundIn(value: unknown): string {
  return typeof value === 'object' && value !== null ? kindOf(value) : describe(value)
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'string') return 'a text'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
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

function findArgsFaults(args: unknown): ProgramFault[] {
  const allowed = 'an array of texts without NUL'
  if (!Array.isArray(args)) return [unfit(['args'], foundIn(args), allowed)]
  const place = args.findIndex((arg) => !isText(arg))
  return place < 0 ? [] : [unfit(['args'], `one with ${foundIn(args[place])} at ${place}`, allowed)]
}

function findEnvFaults(env: unknown): ProgramFault[] {
  if (typeof env !== 'object' || env === null || Array.isArray(env))
    return [unfit(['env'], kindOf(env), 'an object of texts')]
  return Object.entries(env).flatMap(([name, text]) => findVariableFault(name, text) ?? [])
}

function findVariableFault(name: string, text: unknown): ProgramFault | undefined {
  const path = ['env', name]
  if (!isVariableName(name))
    return unwanted(path, 'not a name of a variable', 'letters, digits and _, not beginning with a digit')
  if (shellVariables.has(name))
    return unwanted(path, 'a variable of the shell that starts the program', 'other names')
  if (isText(text)) return undefined
  return unfit(path, typeof text === 'string' ? 'one with it' : kindOf(text), 'a text without NUL')
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
