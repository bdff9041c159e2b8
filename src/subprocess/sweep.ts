/**
 * Finds and ends what belongs to programs, and nothing else.
 *
 * Of a run are: every process that carries its run id in the environment with which it began, and the members of its
 * process group and session. A group's number is not given anew while it has members, so as long as its leader is the
 * process that we started, or was so at the last look and the group has not been empty since, all of them are ours.
 * Otherwise a stranger may have got the number, and only the run id counts.
 */
import { delay } from '../clock.ts'
import type { ProcessRow } from '../store/process-file.ts'
import { environmentOf, livingProcesses, type ProcessFacts, readProcess } from './process-table.ts'

export const runIdVariable = 'SEMANTICA_RUN_ID'

/** Between two looks: SIGKILL takes effect soon, but not at once, and a process may have begun another meanwhile. */
const betweenLooksMs = 5
/** One look may miss a process: its parent was there when the list was read, and gone when it was looked at. */
const quietLooks = 2
/** How often is waited for the environment of a process that seems to have none. Some have none for ever. */
const unsureLooks = 20
/** What does not end by then hangs in the kernel, and ends when that lets go of it. */
const mostLooks = 200

type EndingSignal = 'SIGTERM' | 'SIGKILL'

/** The processes of some runs, as they come and go. */
export class RunMembers {
  readonly #marks: ReadonlySet<string>
  readonly #firstTicks: number
  /** Process groups, and sessions of the same number, that are known to be of these runs. */
  readonly #groups: Set<number>
  /** Whether the last look saw a process of which it could not tell. */
  #isUnsure = false

  constructor(runs: readonly ProcessRow[]) {
    this.#marks = new Set(runs.map((run) => `${runIdVariable}=${run.runId}`))
    this.#firstTicks = Math.min(...runs.map((run) => run.startTicks))
    const led = runs.filter((run) => readProcess(run.pid)?.startTicks === run.startTicks)
    this.#groups = new Set(led.flatMap((run) => [run.processGroup, run.session]))
  }

  /** Those that live now. */
  look(): ProcessFacts[] {
    const filled = new Set<number>()
    this.#isUnsure = false
    const members = livingProcesses().filter((one) => {
      if (one.startTicks < this.#firstTicks || one.pid === process.pid) return false
      const inGroup = this.#groups.has(one.processGroup) || this.#groups.has(one.session)
      if (inGroup) filled.add(one.processGroup).add(one.session)
      if (inGroup) return true
      const environment = environmentOf(one.pid)
      // What belongs to the kernel is in no group, and never has one.
      if (environment?.length === 0 && one.processGroup !== 0) this.#isUnsure = true
      return environment?.some((variable) => this.#marks.has(variable)) ?? false
    })
    for (const group of this.#groups) if (!filled.has(group)) this.#groups.delete(group)
    return members
  }

  /** Sends a signal to each of those that live now, but for the members of one group. */
  signal(signal: EndingSignal, exceptGroup = 0): void {
    signalAll(
      this.look().filter(({ processGroup }) => processGroup !== exceptGroup),
      signal,
    )
  }

  /** Resolves once all are gone, or `isOver` says that they have had their time. */
  async goneUnless(isOver: () => boolean): Promise<void> {
    while (!isOver() && this.look().length > 0) await delay(betweenLooksMs)
  }

  /** Ends all that live; resolves once they are gone. */
  async end(): Promise<void> {
    let quiet = 0
    for (let looks = 1; looks <= mostLooks; looks++) {
      const members = this.look()
      signalAll(members, 'SIGKILL')
      const isQuiet = members.length === 0 && !(this.#isUnsure && looks <= unsureLooks)
      quiet = isQuiet ? quiet + 1 : 0
      if (quiet === quietLooks) return
      await delay(betweenLooksMs)
    }
  }
}

function signalAll(members: readonly ProcessFacts[], signal: EndingSignal): void {
  for (const { pid, startTicks } of members) {
    // Looked at once more: its number may have gone to another since.
    if (readProcess(pid)?.startTicks === startTicks) kill(pid, signal)
  }
}

/** Sends a signal to a whole process group, of which the caller knows that it is its own. */
export function signalGroup(processGroup: number, signal: EndingSignal): void {
  kill(-processGroup, signal)
}

function kill(pid: number, signal: EndingSignal): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself, or is not ours to end.
  }
}
