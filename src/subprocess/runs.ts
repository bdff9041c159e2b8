/** All programs of an engine: who waits for a turn, who runs, and who asked for it. */
import PQueue from 'p-queue'
import { type Clock, systemClock, type Timer } from '../clock.ts'
import { readAllowedEnv } from '../config.ts'
import { engineError, unreachable } from '../errors.ts'
import {
  isVariableName,
  type ProgramEnd,
  type ProgramRequest,
  type StartReply,
  type SubprocessMessage,
} from '../job/program.ts'
import { locateDatabase } from '../store/file-system.ts'
import { readBootId } from '../store/process-facts.ts'
import { ProcessFile } from '../store/process-file.ts'
import { cleanUp, removeFolder } from './clean-up.ts'
import { spawnBehindGate } from './gate.ts'
import { readTicks } from './process-table.ts'
import { ProcessWatch } from './process-watch.ts'
import { ProgramRun, type RunSurroundings } from './program-run.ts'
import type { SubprocessesOptions } from './subprocesses.ts'
import { RunMembers } from './sweep.ts'

/** How often is written down that programs still run. What one has begun by then is its own, even if it has ended since. */
const seenEveryMs = 1_000

/** How long a program waits for one that excludes it, and is being killed. */
const othersGoneMs = 30_000

/** What is not the same in a test that cannot make the kernel hang. */
export interface System {
  readonly clock: Clock
  readonly spawn: typeof spawnBehindGate
}

type Reply = StartReply | ProgramEnd | null

export class Runs {
  readonly #surroundings: RunSurroundings
  readonly #queue: PQueue
  readonly #runs = new Map<string, ProgramRun>()
  readonly #byAsker = new Map<AbortSignal, Set<ProgramRun>>()
  /** Nobody waits for these any more, or should, but their jobs may run again: none of those begins before they are gone. */
  readonly #orphans = new Set<ProgramRun>()
  #seenTimer: Timer | undefined

  /** Opens the file of processes, and ends what still runs of those that an engine before this one had started. */
  static async start(
    options: SubprocessesOptions,
    system: System = { clock: systemClock, spawn: spawnBehindGate },
  ): Promise<Runs> {
    const file = new ProcessFile(options.database)
    try {
      await endLeftovers(file, system.clock)
      return new Runs(options, file, system)
    } catch (error) {
      file.close()
      throw error
    }
  }

  private constructor(
    { database, concurrency, allowedEnv, outputBytes }: SubprocessesOptions,
    file: ProcessFile,
    { clock, spawn }: System,
  ) {
    const folder = `${locateDatabase(database)}-files`
    this.#queue = new PQueue({ concurrency })
    this.#surroundings = {
      clock,
      spawn,
      file,
      watch: new ProcessWatch(),
      bootId: readBootId(),
      env: passable(readAllowedEnv(allowedEnv)),
      logsFolder: `${folder}/logs`,
      runsFolder: `${folder}/runs`,
      outputBytes,
    }
    // Each run has a folder of its own name in it: what cannot be removed is in nobody's way.
    cleanUp([() => removeFolder(this.#surroundings.runsFolder)])
  }

  receive(message: SubprocessMessage, asker: AbortSignal): Promise<Reply> | null {
    switch (message.kind) {
      case 'start':
        return this.#start(message.request, asker)
      case 'wait':
        return this.#wait(message.runId, asker)
      case 'end':
        this.#runs.get(message.runId)?.giveWay()
        return null
      case 'give-up':
        this.#giveUp(message.runId, asker)
        return null
      default:
        return unreachable(message)
    }
  }

  /** Ends every program at once. */
  async stop(): Promise<void> {
    const runs = [...new Set([...this.#runs.values(), ...this.#orphans])]
    for (const run of runs) run.end()
    await Promise.all(runs.map((run) => run.gone))
    this.#seenTimer?.cancel()
    const { runsFolder, file } = this.#surroundings
    cleanUp([() => removeFolder(runsFolder), () => file.close()])
  }

  #start(request: ProgramRequest, asker: AbortSignal): Promise<StartReply> {
    const run = new ProgramRun(request, this.#surroundings)
    const others = [...new Set([...this.#runs.values(), ...this.#orphans])].filter((one) =>
      excludes(one.request, request),
    )
    this.#runs.set(request.runId, run)
    this.#askedBy(asker).add(run)
    this.#seenTimer ??= this.#writeSeenLater()
    if (asker.aborted) this.#orphan(run)
    if (others.some((one) => isNewer(one.request, request))) run.giveWay()
    else for (const one of others) this.#orphan(one)
    // Whatever goes wrong the run tells itself; here it would end the actor, and every other program with it.
    this.#live(run, others).catch(() => {})
    return run.started.then(
      (reply) => {
        if (reply.kind !== 'begun') this.#forget(run, asker)
        return reply
      },
      (error: unknown) => {
        this.#forget(run, asker)
        throw error
      },
    )
  }

  /** It takes no other's place while it waits for those that exclude it. */
  async #live(run: ProgramRun, others: readonly ProgramRun[]): Promise<void> {
    const isAlone = others.length === 0 || (await this.#areGone(others))
    if (isAlone) await this.#queue.add(() => run.live())
    else run.refuse(notGone(run.request))
  }

  async #areGone(runs: readonly ProgramRun[]): Promise<boolean> {
    const late = Promise.withResolvers<boolean>()
    const timer = this.#surroundings.clock.startTimer(othersGoneMs, () => late.resolve(false))
    const gone = Promise.all(runs.map((one) => one.gone)).then(() => true)
    const areGone = await Promise.race([gone, late.promise])
    timer.cancel()
    return areGone
  }

  #wait(runId: string, asker: AbortSignal): Promise<ProgramEnd> {
    const run = this.#runs.get(runId)
    return run === undefined
      ? Promise.reject(unknown(runId))
      : run.over.finally(() => this.#forget(run, asker))
  }

  #writeSeenLater(): Timer {
    const { clock, file } = this.#surroundings
    return clock.startTimer(seenEveryMs, () => {
      const running = [...this.#runs.values()].filter((run) => run.isRunning)
      const runIds = running.map((run) => run.request.runId)
      // On a full disk less is known after a crash.
      if (runIds.length > 0) cleanUp([() => file.seen(runIds, readTicks())])
      this.#seenTimer = this.#runs.size > 0 ? this.#writeSeenLater() : undefined
    })
  }

  #askedBy(asker: AbortSignal): Set<ProgramRun> {
    let asked = this.#byAsker.get(asker)
    if (asked === undefined) {
      const runs = new Set<ProgramRun>()
      asked = runs
      this.#byAsker.set(asker, runs)
      asker.addEventListener('abort', () => {
        this.#byAsker.delete(asker)
        for (const run of runs) this.#orphan(run)
      })
    }
    return asked
  }

  /** Who asked for it is gone, or was given up. */
  #orphan(run: ProgramRun): void {
    this.#orphans.add(run)
    run.end()
    void run.gone.then(() => {
      this.#orphans.delete(run)
      this.#runs.delete(run.request.runId)
    })
  }

  /** Nobody will ask for its end. */
  #giveUp(runId: string, asker: AbortSignal): void {
    const run = this.#runs.get(runId)
    if (run === undefined) return
    run.giveWay()
    void run.gone.then(() => this.#forget(run, asker))
  }

  /** Whoever asked has heard of its end. */
  #forget(run: ProgramRun, asker: AbortSignal): void {
    this.#runs.delete(run.request.runId)
    this.#byAsker.get(asker)?.delete(run)
    // It hangs in the kernel: who excludes it is to know.
    if (!run.isGone) this.#orphan(run)
  }
}

/**
 * Whether two programs must not run at a time. Another thread asks for the second when that of the first was given up: the
 * job was put back, and the first one's end is not here yet, or never comes.
 */
function excludes(one: ProgramRequest, other: ProgramRequest): boolean {
  return one.jobId === other.jobId || (one.subjectKey !== undefined && one.subjectKey === other.subjectKey)
}

/** Of what excludes each other: messages of two threads may overtake each other. */
function isNewer(one: ProgramRequest, other: ProgramRequest): boolean {
  if (one.jobId === other.jobId) return one.attempt > other.attempt
  return (one.generation ?? 0) > (other.generation ?? 0)
}

/** Without what some shells would drop, and others not. */
function passable(env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => isVariableName(name)))
}

function notGone({ command, jobId }: ProgramRequest): Error {
  return engineError('SUBPROCESS_FAILED', {
    found: `${command} cannot begin: an earlier program of job ${jobId}, or of its subject, has not ended ${othersGoneMs.toLocaleString('en')} ms after SIGKILL`,
    action:
      'Look at what that waits for in the kernel, as a disk or a network file system. It ends when that answers.',
    details: { exitCode: null, signal: null },
  })
}

function unknown(runId: string): Error {
  return engineError('SUBPROCESS_FAILED', {
    found: `There is no run ${runId}`,
    action: 'Report this: a program is waited for that was not started.',
  })
}

/** @throws SUBPROCESS_FAILED when nobody can see what they are: then nothing may begin beside them */
async function endLeftovers(file: ProcessFile, clock: Clock): Promise<void> {
  const bootId = readBootId()
  const rows = file.all()
  // After another start of the machine their numbers mean nothing, and none of them lives.
  const recent = rows.filter((row) => row.bootId === bootId && bootId !== '')
  const unseen = recent.length > 0 ? await new RunMembers(recent, new ProcessWatch(), clock).end() : undefined
  if (unseen !== undefined) throw unseen
  for (const { runId } of rows) file.remove(runId)
}
