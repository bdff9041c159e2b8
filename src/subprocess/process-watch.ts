/**
 * Shows the processes of this machine to all runs of an engine: a look is taken when somebody asks for one, and is given
 * to everybody who asked before it. A look takes some milliseconds, in which no program is served.
 */
import { delay, nextTurn, systemClock } from '../clock.ts'
import type { ProcessFacts } from '../store/process-facts.ts'
import { environmentOf, livingProcesses } from './process-table.ts'

export const runIdVariable = 'SEMANTICA_RUN_ID'

const betweenLooksMs = 5
/** How long is waited for the environment of a process that seems to have none. Some have none for ever. */
const unsureMs = 100

/** What one look has seen. */
export interface Look {
  readonly processes: readonly ProcessFacts[]
  /** Why others may have been missed; undefined: none were. */
  readonly failure: Error | undefined
  /** The run ids that a process carries in its environment; `unsure` while that cannot be told. */
  runIdsOf(process: ProcessFacts): readonly string[] | 'unsure'
}

export class ProcessWatch {
  #next: Promise<Look> | undefined
  #lastMs = Number.NEGATIVE_INFINITY
  /** Processes that seem to have no environment, and since when. */
  #bare = new Map<string, number>()

  /** Resolves to a look that is taken from now on. */
  look(): Promise<Look> {
    this.#next ??= this.#take()
    return this.#next
  }

  async #take(): Promise<Look> {
    const restMs = this.#lastMs + betweenLooksMs - systemClock.monotonicMs()
    await (restMs > 0 ? delay(restMs) : nextTurn())
    // Who asks from now on has not asked before this look.
    this.#next = undefined
    return this.#lookNow()
  }

  #lookNow(): Look {
    const nowMs = systemClock.monotonicMs()
    const { processes, failure } = livingProcesses()
    const before = this.#bare
    const bare = new Map<string, number>()
    this.#bare = bare
    const known = new Map<number, readonly string[] | 'unsure'>()
    // Those that nobody asks for at this look are kept: they may be asked for at the next.
    for (const one of processes) {
      const sinceMs = before.get(keyOf(one))
      if (sinceMs !== undefined) bare.set(keyOf(one), sinceMs)
    }
    this.#lastMs = systemClock.monotonicMs()
    return {
      processes,
      failure,
      runIdsOf(one) {
        let found = known.get(one.pid)
        if (found === undefined) {
          found = read(one, bare, nowMs)
          known.set(one.pid, found)
        }
        return found
      },
    }
  }
}

function read(one: ProcessFacts, bare: Map<string, number>, nowMs: number): readonly string[] | 'unsure' {
  let environment: readonly string[] | undefined
  try {
    environment = environmentOf(one.pid)
  } catch {
    return 'unsure'
  }
  if (environment === undefined) return []
  const key = keyOf(one)
  // What belongs to the kernel is in no group, and never has an environment.
  if (environment.length === 0 && one.processGroup !== 0) {
    const sinceMs = bare.get(key) ?? nowMs
    bare.set(key, sinceMs)
    return nowMs - sinceMs < unsureMs ? 'unsure' : []
  }
  bare.delete(key)
  const beginning = `${runIdVariable}=`
  return environment
    .filter((variable) => variable.startsWith(beginning))
    .map((variable) => variable.slice(beginning.length))
}

function keyOf({ pid, startTicks }: ProcessFacts): string {
  return `${pid} ${startTicks}`
}
