/**
 * The handler of every job type that is a program: it asks the actor that runs programs, and waits. Meanwhile its thread
 * is free for others.
 */
import { randomUUID } from 'node:crypto'
import { engineError, fromPlainError, hasCode, type PlainError } from '../errors.ts'
import type { ActorReference, JobContext } from '../job/context.ts'
import {
  type AnyJobDefinition,
  defaultGraceMs,
  isProgram,
  type ProgramDefinition,
} from '../job/definition.ts'
import { parseJson } from '../job/json.ts'
import {
  envValuesOf,
  type ProgramEnd,
  type ProgramPayload,
  type ProgramResult,
  type StartReply,
  type SubprocessMessage,
  withoutCutValue,
} from '../job/program.ts'

/** What such a handler is given beside what every handler gets. */
export interface ProgramContext extends JobContext {
  /** The actor that runs programs. */
  programs(): ActorReference
  /** From now on the attempt only waits for its turn: its time limit does not run. */
  waitForTurn(): void
  /** Its turn has come: what it takes is counted from now on. */
  takeTurn(): void
  /** The output of its program could not be kept. */
  logFailed(error: PlainError): void
}

/** Gives a job type its handler where its jobs are programs. */
export function withProgramHandler(definition: AnyJobDefinition): AnyJobDefinition {
  if (!isProgram(definition)) return definition
  // The boundary: what is not a program has its handler, and this has none.
  const { graceMs = defaultGraceMs } = definition as ProgramDefinition
  const run = (payload: ProgramPayload, context: JobContext) => runProgram(payload, context, graceMs)
  return Object.assign({ ...(definition as AnyJobDefinition) }, { run })
}

async function runProgram(
  program: ProgramPayload,
  context: JobContext,
  graceMs: number,
): Promise<ProgramResult> {
  // The boundary: the engine calls this handler, with what it gives to such handlers.
  const own = context as ProgramContext
  const { jobId, attempt, subjectKey, generation, signal } = own
  const runId = `${jobId}.${attempt}.${randomUUID()}`
  const actor = own.programs()
  const ask = (message: SubprocessMessage): Promise<unknown> => actor.ask(message)
  // It is heard even when the actor is down: then the question itself is rejected.
  const tell = (kind: 'end' | 'give-up'): void => void ask({ kind, runId }).catch(() => {})
  const giveWay = (): void => tell('end')
  own.waitForTurn()
  const started = ask({
    kind: 'start',
    request: { ...program, runId, jobId, attempt, subjectKey, generation, graceMs },
  })
  signal.addEventListener('abort', giveWay, { once: true })
  if (signal.aborted) giveWay()
  let isOver = false
  try {
    // The boundary where the actor's replies get their types.
    const reply = (await started.catch(refuseForGood)) as StartReply
    if (reply.kind === 'gave-way') throw signal.reason ?? gaveWay(program)
    own.takeTurn()
    const end = (await ask({ kind: 'wait', runId }).catch(refuseForGood)) as ProgramEnd
    isOver = true
    if (end.logFailure !== undefined) own.logFailed(end.logFailure)
    return resultOf(program, end)
  } finally {
    signal.removeEventListener('abort', giveWay)
    // Nobody waits for it any more, as when the actor had no room for the question: it must not go on alone.
    if (!isOver) tell('give-up')
  }
}

/** Nobody reads this: the attempt was given up before, since there is a newer one. */
function gaveWay({ command }: ProgramPayload): Error {
  return engineError('SUBPROCESS_FAILED', {
    found: `${command} gave way to a newer run of its job or subject`,
    action: 'Wait for that one.',
    details: { exitCode: null, signal: null },
  })
}

/** What is wrong with the job itself will be so the next time. */
function refuseForGood(error: unknown): never {
  if (hasCode(error, 'SUBPROCESS_INVALID') && error instanceof Error)
    throw Object.assign(error, { verdict: 'fatal' as const })
  throw error
}

function resultOf(program: ProgramPayload, end: ProgramEnd): ProgramResult {
  const { exitCode, signal, wasSignalled, stdoutTail } = end
  // Exit code 0 after SIGTERM says that it has ended in good order, seldom that it had done its work: a stop would lose that.
  if (exitCode !== 0 || wasSignalled) {
    const how = signal === null ? `with exit code ${exitCode}` : `by ${signal}`
    const why = wasSignalled ? ', after it was asked to give way' : ''
    // The log conceals the values of the environment in what the error says, but only whole ones.
    const stderrTail = withoutCutValue(end.stderrTail, envValuesOf(program))
    const last = stderrTail.trim().split('\n').at(-1) ?? ''
    throw engineError('SUBPROCESS_FAILED', {
      found: `${program.command} ended ${how}${why}${last === '' ? '' : `; its last words: ${last}`}`,
      action: "Look at the end of its stderr in the error's details, or at its logs beside the database.",
      details: { exitCode, signal, stderrTail },
    })
  }
  if (end.resultFault !== undefined) throw fromPlainError(end.resultFault)
  const text = end.fileResult ?? end.lineResult
  return {
    exitCode,
    ...(text === undefined ? {} : { result: parseResult(program, text) }),
    stdoutTail,
    stderrTail: end.stderrTail,
  }
}

function parseResult({ command }: ProgramPayload, text: string): unknown {
  try {
    return parseJson(text) as unknown
  } catch (error) {
    throw engineError('SUBPROCESS_FAILED', {
      found: `What ${command} wrote to its result file is not JSON`,
      action: 'Write one JSON value to the file that SEMANTICA_RESULT_FILE names, or leave it alone.',
      cause: error,
      details: { exitCode: 0, signal: null },
    })
  }
}
