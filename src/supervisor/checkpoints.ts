/**
 * Keeps the WAL small: asks the checkpointer thread, and lets the writer help right after the thread's report when the
 * WAL has grown too large, between two commits. A PASSIVE checkpoint from the thread alone never comes to the end of a
 * WAL that is being written without a pause.
 *
 * The thread is started when it is first needed: most short runs never write that much.
 */
import { defaultRestartBudget, SupervisedThread } from '../actor/supervision.ts'
import type { ActorThread } from '../actor/thread.ts'
import type { Clock } from '../clock.ts'
import { limits } from '../config.ts'
import { type PlainError, toPlainError } from '../errors.ts'
import { CheckpointPolicy, checkpointPassive, readWalBytes } from '../store/checkpoint.ts'
import type { CheckpointAnswer, CheckpointRequest } from '../store/messages.ts'
import type { Database } from '../store/open.ts'
import type { EngineEvent } from './messages.ts'

const usualLimits = { checkpointBytes: limits.checkpointBytes, writerBytes: limits.writerCheckpointBytes }
/**
 * While jobs are ended by the hundred thousand. They lie all over the file, and what the writer gives to the disk at the
 * end of a WAL holds up everybody: often and little at a time.
 */
const bulkLimits = { checkpointBytes: limits.bulkCheckpointBytes, writerBytes: limits.bulkCheckpointBytes }

/** Commits between two looks at the WAL's size. */
const commitsPerLook = 8

export class Checkpoints {
  readonly #database: Database
  readonly #policy = new CheckpointPolicy(usualLimits)
  readonly #thread: SupervisedThread
  readonly #report: (event: EngineEvent) => void
  readonly #onCaughtUp: () => void
  #commits = 0
  #walBytes = 0
  #isAsked = false
  #isBulk = false
  #isStopped = false
  /** Since one failed none has succeeded: it is told once. */
  #isFailing = false
  #starting: Promise<void> | undefined
  #onReported: (() => void)[] = []

  constructor(
    database: Database,
    clock: Clock,
    report: (event: EngineEvent) => void,
    onCaughtUp: () => void,
  ) {
    this.#database = database
    this.#report = report
    this.#onCaughtUp = onCaughtUp
    const data = { path: database.name }
    const spec = {
      name: 'checkpointer',
      entry: 'checkpointer',
      data,
      readyTimeoutMs: limits.readyTimeoutMs,
      // It says the same few words again and again.
      resourceLimits: { maxYoungGenerationSizeMb: 3 },
    } as const
    this.#thread = new SupervisedThread(() => spec, {
      budget: defaultRestartBudget,
      clock,
      onStarted: (thread) => thread.port.on('message', (answer: CheckpointAnswer) => this.#heed(answer)),
      onDied: (error, willRestart) => {
        this.#report({ kind: 'checkpointer-died', error: toPlainError(error), willRestart })
        if (this.#isAsked) this.#reported({ kind: 'checkpoint-failed', error: toPlainError(error) })
      },
    })
  }

  /** Moves what the WAL holds as well: little is left for the close of the database then. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true
    for (const tell of this.#onReported.splice(0)) tell()
    if (!this.#isAsked) this.#checkpointHere()
    if (this.#starting === undefined) return
    await this.#starting
    await this.#thread.stop(graceMs)
  }

  get walBytes(): number {
    return this.#walBytes
  }

  /** Whether the thread is at work. What is written meanwhile is left for the writer to move: what can wait had better. */
  get isBusy(): boolean {
    return this.#isAsked
  }

  /** To be called after each commit, outside of a transaction. @param isBulk whether it was one of many that write much */
  afterCommit(isBulk: boolean): void {
    if (isBulk !== this.#isBulk) this.#policy.use(isBulk ? bulkLimits : usualLimits)
    this.#isBulk = isBulk
    if (++this.#commits % commitsPerLook !== 0 && !isBulk) return
    this.#look()
    const { thread } = this.#thread
    if (!this.#policy.shouldAskThread(this.#walBytes)) return
    this.#starting ??= this.#startThread()
    if (thread === undefined) {
      // It is not up yet, or down, perhaps for good: the writer does it alone.
      if (this.#walBytes > limits.writerCheckpointBytes) this.#checkpointHere()
      return
    }
    this.#ask(thread)
  }

  /**
   * Moves all that is in the WAL to the file, which is cut to its size only then: the thread most of it, the writer what
   * came meanwhile. Best effort: a reader may be in the way.
   */
  async moveAll(): Promise<void> {
    this.#starting ??= this.#startThread()
    await this.#starting
    // One that is under way has not seen the last commits.
    for (let round = this.#isAsked ? 2 : 1; round > 0; round--) {
      const { thread } = this.#thread
      if (thread === undefined) break
      if (!this.#isAsked) this.#ask(thread)
      await new Promise<void>((resolve) => this.#onReported.push(resolve))
    }
    if (!this.#isStopped) this.#checkpointHere()
  }

  #ask(thread: ActorThread): void {
    this.#policy.asked()
    this.#isAsked = true
    thread.port.postMessage({ kind: 'checkpoint' } satisfies CheckpointRequest)
  }

  async #startThread(): Promise<void> {
    try {
      await this.#thread.start()
    } catch (error) {
      // The writer does it all, then.
      this.#report({ kind: 'checkpointer-died', error: toPlainError(error), willRestart: false })
    }
  }

  #heed(answer: CheckpointAnswer): void {
    if (answer.kind === 'checkpoint-failed') this.#failed(answer.error)
    else if (!answer.busy) this.#isFailing = false
    this.#reported(answer)
  }

  #reported(answer: CheckpointAnswer): void {
    this.#isAsked = false
    const { thread } = this.#thread
    this.#look()
    const next = this.#policy.reported(answer, this.#walBytes)
    if (next === 'thread-again' && thread !== undefined) this.#ask(thread)
    else if (next !== 'nothing') this.#checkpointHere()
    if (!this.#isAsked) this.#onCaughtUp()
    for (const tell of this.#onReported.splice(0)) tell()
  }

  /** On a disk that fails what was last seen has to do. */
  #look(): void {
    try {
      this.#walBytes = readWalBytes(this.#database)
    } catch (error) {
      this.#failed(toPlainError(error))
    }
  }

  #checkpointHere(): void {
    try {
      if (!checkpointPassive(this.#database).busy) this.#isFailing = false
    } catch (error) {
      this.#failed(toPlainError(error))
    }
  }

  /** It is tried again with the next 4 MB: a WAL that grows meanwhile loses nothing. */
  #failed(error: PlainError): void {
    if (!this.#isFailing) this.#report({ kind: 'checkpoint-failed', error, walBytes: this.#walBytes })
    this.#isFailing = true
  }
}
