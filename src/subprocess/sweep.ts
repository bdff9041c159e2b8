/**
 * Finds and ends what belongs to programs, and nothing else.
 *
 * Of a run are: every process that carries its run id in the environment with which it began, and the members of its
 * process group and session, which have one number. It is not given anew while anybody is in the group or the session. So
 * all in them are ours
 * - as long as the leader is the process that we started, or was so at the last look, and nobody was missing since;
 * - when one in the session, other than its leader, is from a time at which our leader is known to have lived: it has been
 *   in this session since it was born.
 * Otherwise a stranger may have got the number, and only the run id counts.
 *
 * What cannot be looked at, as when descriptors run out, may live: nobody is missing, and nobody gone, before it can be.
 */
import { type Clock, delay, systemClock } from '../clock.ts'
import { type ProcessFacts, readProcess, unseen } from '../store/process-facts.ts'
import type { ProcessRow } from '../store/process-file.ts'
import { readTicks, ticksPerSecond } from './process-table.ts'
import type { Look, ProcessWatch } from './process-watch.ts'

/** Between two looks: SIGKILL takes effect soon, but not at once. The longer something lives, the seldomer it is looked at. */
const firstPauseMs = 5
const longestPauseMs = 100
/** What does not end by then hangs in the kernel, and ends when that lets go of it. */
const mostLooks = 30

type EndingSignal = 'SIGTERM' | 'SIGKILL'

interface Members {
  readonly living: readonly ProcessFacts[]
  /** Whether there may be more: a process was seen of which one cannot tell yet, or some could not be seen. */
  readonly isUnsure: boolean
  /** Why those could not be seen. */
  readonly failure: Error | undefined
}

/** The processes of some runs, as they come and go. */
export class RunMembers {
  readonly #watch: ProcessWatch
  readonly #clock: Clock
  readonly #runIds: ReadonlySet<string>
  readonly #firstTicks: number
  /**
   * Process groups, and sessions of the same number, that are known to be of these runs, by that number. The `seenTicks`
   * of each are those at which that was known last.
   */
  readonly #groups: Map<number, ProcessRow>
  /** Runs whose group may be a stranger's: their leader had ended before the first look, or they could not be seen. */
  #doubtful: readonly ProcessRow[]
  /** The time at which this was made, as `startTicks` and of the clock. */
  readonly #madeTicks: number
  readonly #madeMs: number
  #hasLooked = false

  constructor(runs: readonly ProcessRow[], watch: ProcessWatch, clock: Clock = systemClock) {
    this.#watch = watch
    this.#clock = clock
    this.#madeTicks = unlessUnseen(readTicks) ?? 0
    this.#madeMs = clock.monotonicMs()
    this.#runIds = new Set(runs.map((run) => run.runId))
    this.#firstTicks = Math.min(...runs.map((run) => run.startTicks))
    this.#groups = new Map(runs.filter(isLed).map((run) => [run.session, run]))
    this.#doubtful = runs.filter((run) => !this.#groups.has(run.session))
  }

  /** Sends a signal to each of those that live now, but for the members of one group. */
  async signal(signal: EndingSignal, exceptGroup = 0): Promise<void> {
    const { living } = this.#membersAt(await this.#watch.look())
    signalAll(
      living.filter(({ processGroup }) => processGroup !== exceptGroup),
      signal,
    )
  }

  /** Resolves once all are gone, or `isOver` says that they have had their time. */
  async goneUnless(isOver: () => boolean): Promise<void> {
    for (const pause = new Pause(); !isOver(); await pause.take(this.#clock)) {
      const { living, isUnsure } = this.#membersAt(await this.#watch.look())
      if (living.length === 0 && !isUnsure) return
    }
  }

  /**
   * Ends all that live. Resolves once they are gone, or hang in the kernel; and to an error when nobody can say, since
   * they could not be seen for some seconds.
   */
  async end(): Promise<Error | undefined> {
    const pause = new Pause()
    for (let looks = 1; ; looks++) {
      const { living, isUnsure, failure } = this.#membersAt(await this.#watch.look())
      signalAll(living, 'SIGKILL')
      if (living.length === 0 && !isUnsure) return undefined
      if (looks === mostLooks) return isUnsure ? (failure ?? unseen()) : undefined
      await pause.take(this.#clock)
    }
  }

  #membersAt(look: Look): Members {
    this.#knowGroups(look)
    const filled = new Set<number>()
    let isUnsure = look.failure !== undefined
    const living = look.processes.filter((one) => {
      if (one.startTicks < this.#firstTicks || one.pid === process.pid) return false
      if (this.#groups.has(one.processGroup) || this.#groups.has(one.session)) {
        filled.add(one.processGroup).add(one.session)
        return true
      }
      const runIds = look.runIdsOf(one)
      if (runIds === 'unsure') isUnsure = true
      else return runIds.some((runId) => this.#runIds.has(runId))
      return false
    })
    this.#forgetGroups(filled, look)
    return { living, isUnsure, failure: look.failure }
  }

  #knowGroups({ processes, failure }: Look): void {
    // Whoever asks for the first look has known until now that these are theirs.
    if (!this.#hasLooked) for (const run of this.#groups.values()) this.#seeGroup(run)
    this.#hasLooked = true
    const known = this.#doubtful.filter((run) => processes.some((one) => isWitness(one, run)))
    for (const run of known) this.#groups.set(run.session, run)
    this.#doubtful = failure === undefined ? [] : this.#doubtful.filter((run) => !known.includes(run))
  }

  #forgetGroups(filled: ReadonlySet<number>, { failure }: Look): void {
    for (const [group, run] of this.#groups) {
      if (filled.has(group)) {
        this.#seeGroup(run)
        continue
      }
      this.#groups.delete(group)
      if (failure !== undefined) this.#doubtful = [...this.#doubtful, run]
    }
  }

  #seeGroup(run: ProcessRow): void {
    const ticks = ((this.#clock.monotonicMs() - this.#madeMs) * ticksPerSecond) / 1_000
    const seenTicks = Math.max(run.seenTicks, this.#madeTicks + Math.floor(ticks))
    this.#groups.set(run.session, { ...run, seenTicks })
  }
}

/** Whether the process that we started is there, and so its session and group are ours. */
function isLed(run: ProcessRow): boolean {
  return unlessUnseen(() => readProcess(run.pid))?.startTicks === run.startTicks
}

/** Whether a process shows that the session of a run is still what it was. */
function isWitness({ pid, session, startTicks }: ProcessFacts, run: ProcessRow): boolean {
  if (pid === run.pid) return startTicks === run.startTicks
  return (
    session === run.session && pid !== session && startTicks >= run.startTicks && startTicks < run.seenTicks
  )
}

function unlessUnseen<Seen>(look: () => Seen): Seen | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}

class Pause {
  #nextMs = firstPauseMs

  async take(clock: Clock): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    clock.startTimer(this.#nextMs, resolve, 'keeps-process-alive')
    await promise
    this.#nextMs = Math.min(this.#nextMs * 2, longestPauseMs)
  }
}

function signalAll(members: readonly ProcessFacts[], signal: EndingSignal): void {
  for (const { pid, startTicks } of members) {
    // Looked at once more: its number may have gone to another since.
    if (unlessUnseen(() => readProcess(pid))?.startTicks === startTicks) kill(pid, signal)
  }
}

/** Sends a signal to a whole process group, of which the caller knows that it is its own. */
export function signalGroup(processGroup: number, signal: EndingSignal): void {
  kill(-processGroup, signal)
}

/**
 * Ends what is left of a group whose leader has ended, where its members cannot be seen; resolves once that is done. The
 * number of a group is not given anew while somebody is in it: so it is asked again and again whether anybody is, and
 * from the first time that nobody is, it is a stranger's.
 *
 * @param leftMs how long its members may still go on
 */
export async function endUnseenGroup(processGroup: number, leftMs: () => number): Promise<void> {
  while (send(-processGroup, 0)) {
    const pauseMs = Math.min(leftMs(), firstPauseMs)
    if (pauseMs <= 0) {
      signalGroup(processGroup, 'SIGKILL')
      return
    }
    await delay(pauseMs)
  }
}

function kill(pid: number, signal: EndingSignal): void {
  // Otherwise it has ended by itself, or is not ours to end.
  send(pid, signal)
}

/** Whether there was anybody to get it; signal 0 only asks. */
function send(pid: number, signal: EndingSignal | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
