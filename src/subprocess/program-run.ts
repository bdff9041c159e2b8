/**
 * One run of a program.
 *
 *   waiting ──its turn──▶ starting ──gate opened──▶ running ──exit, or SIGTERM and grace──▶ ending ──all gone──▶ over
 *      │                     └── could not start ─────────────────────────────────────────────────────────────▲
 *      └── told to give way, also while starting ───────────────────────────────────────────────────────────────┘
 *
 * `giveWay` sends SIGTERM to all of its processes, and SIGKILL after the grace; `end` sends SIGKILL at once. Whatever the
 * program leaves behind when it ends is ended too. Both may come at any time, more than once.
 *
 * A process that hangs in the kernel, as on a network disk that does not answer, ends only when that lets go of it. Some
 * time after its SIGKILL nobody waits for it any more: its run is over, and fails, but is gone only when the process is.
 * So it is with one of which nobody can see whether it left anything behind: that run is over, as it ended.
 */
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { type Clock, type Timer, withinMs } from '../clock.ts'
import { engineError, toPlainError } from '../errors.ts'
import { programOutputsOf } from '../execution/job-files.ts'
import {
  outputTailCharacters,
  type ProgramEnd,
  type ProgramRequest,
  type StartReply,
} from '../job/program.ts'
import { readProcess } from '../store/process-facts.ts'
import type { ProcessFile, ProcessRow } from '../store/process-file.ts'
import { cleanUp } from './clean-up.ts'
import { findCommand, findFolder, refused, startFailed } from './find-program.ts'
import type { GatedProcess, spawnBehindGate } from './gate.ts'
import { OutputLog } from './output-log.ts'
import { readTicks } from './process-table.ts'
import { type ProcessWatch, runIdVariable } from './process-watch.ts'
import { ResultFile } from './result-file.ts'
import { endUnseenGroup, RunMembers, signalGroup } from './sweep.ts'

/** What all runs of an engine share. */
export interface RunSurroundings {
  readonly clock: Clock
  readonly spawn: typeof spawnBehindGate
  readonly file: ProcessFile
  readonly watch: ProcessWatch
  readonly bootId: string
  /** What programs get of the engine's own environment. */
  readonly env: Readonly<Record<string, string>>
  readonly logsFolder: string
  readonly runsFolder: string
  readonly outputBytes: number
}

/** How long an output may stay open after all its writers that can be found are gone. */
const outputCloseMs = 1_000
/** How long a process may take to end after SIGKILL. Shorter than its pool thread is given, which is ended otherwise. */
const endAfterKillMs = 3_000

interface Outputs {
  readonly stdout: OutputLog
  readonly stderr: OutputLog
}

export class ProgramRun {
  readonly request: ProgramRequest
  readonly #surroundings: RunSurroundings
  readonly #started = Promise.withResolvers<StartReply>()
  readonly #over = Promise.withResolvers<ProgramEnd>()
  readonly #gone = Promise.withResolvers<void>()
  #state: 'waiting' | 'starting' | 'running' | 'ending' | 'over' = 'waiting'
  #process: GatedProcess | undefined
  #members: RunMembers | undefined
  #wish: 'go-on' | 'give-way' | 'end' = 'go-on'
  #graceEndsMs = 0
  #graceTimer: Timer | undefined
  #hangTimer: Timer | undefined
  readonly #hangs = Promise.withResolvers<'hangs'>()
  /** Whether something of it lives, or may live, though it is over. */
  #isLeft = false
  #isGone = false

  constructor(request: ProgramRequest, surroundings: RunSurroundings) {
    this.request = request
    this.#surroundings = surroundings
    // Whoever asked may be gone by then.
    this.#started.promise.catch(() => {})
    this.#over.promise.catch(() => {})
  }

  /** Resolves when the program has begun, or will not. */
  get started(): Promise<StartReply> {
    return this.#started.promise
  }

  /** Resolves when the program and all that it left behind are gone. */
  get over(): Promise<ProgramEnd> {
    return this.#over.promise
  }

  /** The same, and of a run that never began as well. Never rejects. */
  get gone(): Promise<void> {
    return this.#gone.promise
  }

  get isGone(): boolean {
    return this.#isGone
  }

  /** Whether its first process lives, or is at least not collected: nobody else has its number. */
  get isRunning(): boolean {
    return this.#state === 'running'
  }

  giveWay(): void {
    if (this.#wish !== 'go-on') return
    this.#wish = 'give-way'
    if (this.#state === 'waiting') this.#passOver()
    else if (this.#state === 'running') this.#askToGiveWay()
  }

  end(): void {
    this.#wish = 'end'
    this.#graceEndsMs = 0
    if (this.#state === 'waiting') this.#passOver()
    else if (this.#state === 'running') this.#kill()
  }

  /** Its turn does not come: whoever asked for it gets the error. Only of one that waits. */
  refuse(error: Error): void {
    if (this.#state !== 'waiting') return
    this.#started.reject(error)
    this.#setGone()
  }

  /** Its turn has come. Resolves when it is over. Never rejects. */
  async live(): Promise<void> {
    if (this.#state !== 'waiting') return
    this.#state = 'starting'
    const outputs = this.#outputs()
    let result: ResultFile | undefined
    let row: ProcessRow | undefined
    const { runsFolder, file } = this.#surroundings
    try {
      result = new ResultFile(runsFolder, this.request.runId)
      row = await this.#start(result, outputs)
      if (row === undefined) {
        this.#started.resolve({ kind: 'gave-way' })
        return
      }
      this.#started.resolve({ kind: 'begun' })
      this.#over.resolve(await this.#runToEnd(row, outputs, result))
    } catch (error) {
      // One that has begun is over: then only the other hears it.
      this.#started.reject(error)
      this.#over.reject(error)
    } finally {
      cleanUp([
        () => outputs.stdout.close(),
        () => outputs.stderr.close(),
        () => result?.remove(),
        // What stays in the file is looked for at the next start, and not found.
        () => row !== undefined && !this.#isLeft && file.remove(row.runId),
      ])
      if (!this.#isLeft) this.#setGone()
      else if (row !== undefined) void this.#outlast(row)
    }
  }

  /** The kernel has not let go of its process yet, or nobody can see what is left of it. Never rejects. */
  async #outlast(row: ProcessRow): Promise<void> {
    await this.#process?.exited
    this.#state = 'ending'
    const members = this.#members
    while (members !== undefined && !(await this.#endMembers(row, members).catch(() => true)));
    cleanUp([() => this.#surroundings.file.remove(row.runId)])
    this.#setGone()
  }

  #setGone(): void {
    this.#state = 'over'
    this.#isGone = true
    this.#gone.resolve()
  }

  #passOver(): void {
    this.#started.resolve({ kind: 'gave-way' })
    this.#setGone()
  }

  /**
   * From here to the opening of the gate the process is nothing but a shell that waits. Undefined: it was told to give
   * way, and has not begun.
   */
  async #start(result: ResultFile, outputs: Outputs): Promise<ProcessRow | undefined> {
    const { request } = this
    const { clock, file, watch, spawn } = this.#surroundings
    const { args = [], stdin } = request
    const env = this.#environment(result)
    const cwd = findFolder(request.cwd)
    const command = findCommand(request.command, cwd, env.PATH)
    const started = await spawn({ command, args, env, cwd, stdin }).catch((error: unknown) => {
      throw startFailed(request.command, error)
    })
    if (this.#wish !== 'go-on') {
      started.dismiss()
      await started.exited
      return undefined
    }
    try {
      keep(started.stdout, outputs.stdout)
      keep(started.stderr, outputs.stderr)
      const row = this.#rowOf(started.pid)
      file.add(row)
      this.#process = started
      this.#members = new RunMembers([row], watch, clock)
      this.#state = 'running'
      started.open()
      return row
    } catch (error) {
      started.dismiss()
      await started.exited
      throw error
    }
  }

  async #runToEnd(row: ProcessRow, outputs: Outputs, result: ResultFile): Promise<ProgramEnd> {
    const started = this.#process
    const members = this.#members
    if (started === undefined || members === undefined) throw new Error('A run ends after it has begun')
    const exit = await Promise.race([started.exited, this.#hangs.promise])
    this.#hangTimer?.cancel()
    if (exit === 'hangs') {
      this.#isLeft = true
      throw hangs(this.request, started)
    }
    const { exitCode, signal, isRefused } = exit
    const wasSignalled = this.#wish !== 'go-on'
    this.#state = 'ending'
    this.#graceTimer?.cancel()
    this.#isLeft = !(await this.#endMembers(row, members))
    await withinMs(Promise.all([closed(started.stdout), closed(started.stderr)]), outputCloseMs)
    started.stdout.destroy()
    started.stderr.destroy()
    if (isRefused) throw refused(this.request.command, outputs.stderr.tail(outputTailCharacters))
    const logFailure = outputs.stdout.failure ?? outputs.stderr.failure
    return {
      exitCode,
      signal,
      wasSignalled,
      stdoutTail: outputs.stdout.tail(outputTailCharacters),
      stderrTail: outputs.stderr.tail(outputTailCharacters),
      ...readResult(result, outputs.stdout),
      logFailure: logFailure === undefined ? undefined : toPlainError(logFailure),
    }
  }

  /**
   * Of those that were asked to give way, the others have their grace too. False: nobody can see whether they are gone.
   */
  async #endMembers(row: ProcessRow, members: RunMembers): Promise<boolean> {
    const { clock } = this.#surroundings
    const leftMs = () => this.#graceEndsMs - clock.monotonicMs()
    if (process.platform !== 'linux') {
      await endUnseenGroup(row.processGroup, leftMs)
      return true
    }
    if (leftMs() > 0) await members.goneUnless(() => leftMs() <= 0)
    return (await members.end()) === undefined
  }

  #askToGiveWay(): void {
    const { clock } = this.#surroundings
    this.#graceEndsMs = clock.monotonicMs() + this.request.graceMs
    this.#signal('SIGTERM')
    this.#graceTimer = clock.startTimer(this.request.graceMs, () => this.#kill())
  }

  #kill(): void {
    this.#signal('SIGKILL')
    this.#hangTimer ??= this.#surroundings.clock.startTimer(endAfterKillMs, () =>
      this.#hangs.resolve('hangs'),
    )
  }

  /** While it has not ended its number, and that of its group, are its own. */
  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.#state !== 'running' || this.#process === undefined) return
    signalGroup(this.#process.pid, signal)
    void this.#members?.signal(signal, this.#process.pid)
  }

  #rowOf(pid: number): ProcessRow {
    const facts = readProcess(pid)
    return {
      runId: this.request.runId,
      pid,
      bootId: this.#surroundings.bootId,
      startTicks: facts?.startTicks ?? 0,
      processGroup: facts?.processGroup ?? pid,
      session: facts?.session ?? pid,
      seenTicks: readTicks(),
    }
  }

  #environment(result: ResultFile): Record<string, string> {
    const { runId, jobId, attempt, env } = this.request
    return {
      ...this.#surroundings.env,
      ...env,
      [runIdVariable]: runId,
      SEMANTICA_JOB_ID: jobId,
      SEMANTICA_ATTEMPT: String(attempt),
      SEMANTICA_RESULT_FILE: result.path,
    }
  }

  #outputs(): Outputs {
    const { logsFolder, outputBytes, clock } = this.#surroundings
    const { stdout, stderr } = programOutputsOf(logsFolder, this.request.jobId)
    const logOf = (path: string) => new OutputLog(path, outputBytes, clock)
    return { stdout: logOf(stdout), stderr: logOf(stderr) }
  }
}

function hangs({ command }: ProgramRequest, { pid, stdout, stderr }: GatedProcess): Error {
  stdout.destroy()
  stderr.destroy()
  return engineError('SUBPROCESS_FAILED', {
    found: `${command} (process ${pid}) has not ended ${endAfterKillMs.toLocaleString('en')} ms after SIGKILL`,
    action:
      'Look at what it waits for in the kernel (/proc/<pid>/stack), as a disk or a network file system.',
    details: { exitCode: null, signal: null },
  })
}

function keep(stream: Readable, log: OutputLog): void {
  stream.on('data', (chunk: Buffer) => log.write(chunk))
  stream.on('error', () => {})
}

async function closed(stream: Readable): Promise<void> {
  await finished(stream).catch(() => {})
}

function readResult(
  result: ResultFile,
  stdout: OutputLog,
): Pick<ProgramEnd, 'fileResult' | 'lineResult' | 'resultFault'> {
  try {
    const fileResult = result.read()
    const lineResult = fileResult === undefined ? readLine(stdout) : undefined
    return { fileResult, lineResult, resultFault: undefined }
  } catch (error) {
    return { fileResult: undefined, lineResult: undefined, resultFault: toPlainError(error) }
  }
}

/** @throws RESULT_TOO_LARGE when it looks like a result, but its beginning has gone */
function readLine(stdout: OutputLog): string | undefined {
  const line = stdout.lastLine()
  const cutAfter = stdout.lastLineCutAfter
  if (cutAfter === undefined) return isJsonObject(line) ? line : undefined
  if (!cutAfter.trimStart().startsWith('{') || !line.endsWith('}')) return undefined
  throw engineError('RESULT_TOO_LARGE', {
    found: 'The last line of the output is a result, but longer than what is kept of the output',
    allowed: 'half of subprocess.outputBytes',
    action: 'Write the result to the file that SEMANTICA_RESULT_FILE names, or raise outputBytes.',
  })
}

function isJsonObject(line: string): boolean {
  if (!line.startsWith('{')) return false
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}
