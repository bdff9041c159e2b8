/**
 * A thread that is started again when it dies, within a budget.
 *
 *   new ──start()──▶ starting ──ready──▶ up ──dies──▶ waiting ──delay over──▶ starting ──ready──▶ up …
 *                       │                                ▲                       │
 *                       │ fails                          └────fails─────────────┤
 *                       ▼                                                         │ budget spent (also from up)
 *                     failed ◀────────────────────────────────────────────────────┘
 *
 * Where the budget says so, a thread that has spent it waits as well, but long, and is then started with a new one.
 *
 * `stop` leads from everywhere to stopping and stopped, and nothing leads out of there: a restart that waits is cancelled,
 * one under way is let finish within the grace and then stopped, or ended. A first start that fails is not tried again:
 * its caller gets the error. A failed restart counts against the budget like a death, so a thread that cannot start
 * does not start for ever. Whoever ends the thread behind this object's back sees it started again.
 */
import { type Clock, type Timer, withinMs } from '../clock.ts'
import { assert, engineError } from '../errors.ts'
import { ActorThread, type ThreadExit, type ThreadSpec } from './thread.ts'

/** How often a thread may be started again. */
export interface RestartBudget {
  readonly restarts: number
  /** The time in which they count. */
  readonly withinMs: number
  /** How long after the last death it is tried again once they are spent, with all of them anew. Default: never. */
  readonly againAfterMs?: number
}

export const defaultRestartBudget: RestartBudget = { restarts: 5, withinMs: 60_000 }

const firstDelayMs = 10
export const longestRestartDelayMs = 1_000

/** The restarts that count, and what the next one costs. Pure. */
export class RestartHistory {
  readonly #budget: RestartBudget
  #times: number[] = []

  constructor(budget: RestartBudget) {
    this.#budget = budget
  }

  /**
   * Counts one restart at `nowMs` (monotonic) and answers how long to wait before it: 10 ms, and twice as long for each
   * restart that still counts, up to 1 s. `'give-up'` once the budget is spent.
   */
  next(nowMs: number): number | 'give-up' {
    this.#times = this.#times.filter((timeMs) => nowMs - timeMs < this.#budget.withinMs)
    const before = this.#times.length
    if (before >= this.#budget.restarts) return 'give-up'
    this.#times.push(nowMs)
    return Math.min(firstDelayMs * 2 ** before, longestRestartDelayMs)
  }
}

export interface SupervisionOptions {
  readonly budget: RestartBudget
  readonly clock: Clock
  /** Called after each start, the first included, and before `start` resolves. */
  onStarted(thread: ActorThread): void
  /**
   * Called after each death and each failed restart, and once with `willRestart` false when the budget is spent. A thread
   * that dies while it is being stopped, as when its stop hook throws, is reported with `willRestart` false too. Where the
   * budget has `againAfterMs`, one whose budget is spent comes up after that all the same: `onStarted` tells.
   */
  onDied(error: Error, willRestart: boolean): void
}

type State =
  | { readonly kind: 'new' }
  | { readonly kind: 'starting'; readonly thread: Promise<ActorThread>; readonly abort: AbortController }
  | { readonly kind: 'up'; readonly thread: ActorThread }
  | { readonly kind: 'waiting'; readonly timer: Timer }
  | { readonly kind: 'failed' }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'stopped' }

export class SupervisedThread {
  readonly #spec: () => ThreadSpec
  readonly #options: SupervisionOptions
  #history: RestartHistory
  #state: State = { kind: 'new' }
  #stopping: Promise<void> | undefined

  /** @param spec asked before each start, since what it transfers can be transferred only once */
  constructor(spec: () => ThreadSpec, options: SupervisionOptions) {
    this.#spec = spec
    this.#options = options
    this.#history = new RestartHistory(options.budget)
  }

  /** The thread while it is up; undefined while it is down, and from `stop` on. */
  get thread(): ActorThread | undefined {
    return this.#state.kind === 'up' ? this.#state.thread : undefined
  }

  /**
   * The first start.
   *
   * @throws what `ActorThread.start` throws; ENGINE_STOPPED when `stop` was called
   */
  async start(): Promise<void> {
    if (this.#stopping !== undefined) throw stopped()
    const before = this.#state
    assert(before.kind === 'new', 'a supervised thread is started once')
    try {
      await this.#launch()
    } catch (error) {
      if (this.#stopping !== undefined) throw stopped()
      if (this.#state.kind === 'starting') this.#state = { kind: 'failed' }
      throw error
    }
    if (this.#stopping !== undefined) throw stopped()
  }

  /**
   * Stops the thread and starts it no more. The first call counts; later ones share its promise.
   *
   * @param graceMs how long the thread may take, its start included if it is under way; then it is ended by force
   */
  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stopOnce(graceMs)
    return this.#stopping
  }

  async #stopOnce(graceMs: number): Promise<void> {
    const state = this.#state
    this.#state = { kind: 'stopping' }
    if (state.kind === 'waiting') state.timer.cancel()
    if (state.kind === 'up') await state.thread.stop(graceMs)
    if (state.kind === 'starting') await this.#stopStarting(state.thread, state.abort, graceMs)
    this.#state = { kind: 'stopped' }
  }

  async #stopStarting(
    starting: Promise<ActorThread>,
    abort: AbortController,
    graceMs: number,
  ): Promise<void> {
    const { clock } = this.#options
    const startedMs = clock.monotonicMs()
    const thread = await withinMs(starting, graceMs).catch(() => undefined)
    if (thread === undefined) return
    if (thread !== 'timed-out') {
      await thread.stop(Math.max(0, graceMs - (clock.monotonicMs() - startedMs)))
      return
    }
    abort.abort()
    const late = await withinMs(starting, abortMs).catch(() => undefined)
    if (late instanceof ActorThread) await late.terminate()
  }

  /** Starts the thread; in any state but stopping it is up afterwards. */
  async #launch(): Promise<void> {
    const abort = new AbortController()
    const starting = startThread(this.#spec, abort.signal)
    this.#state = { kind: 'starting', thread: starting, abort }
    const thread = await starting
    void thread.exited.then((exit) => this.#onExit(thread, exit))
    // Then `stop` waits for the same promise, and stops the thread.
    if (this.#stopping !== undefined) return
    this.#state = { kind: 'up', thread }
    this.#options.onStarted(thread)
  }

  #onExit(thread: ActorThread, exit: ThreadExit): void {
    if (this.#stopping !== undefined) {
      if (exit.kind === 'died') this.#options.onDied(exit.error, false)
      return
    }
    this.#restartAfter(exit.kind === 'died' ? exit.error : endedUnasked(thread.name))
  }

  #restartAfter(error: Error): void {
    const delayMs = this.#history.next(this.#options.clock.monotonicMs())
    const { againAfterMs } = this.#options.budget
    if (delayMs !== 'give-up') this.#restartIn(delayMs)
    else if (againAfterMs === undefined) this.#state = { kind: 'failed' }
    else {
      this.#history = new RestartHistory(this.#options.budget)
      this.#restartIn(againAfterMs)
    }
    this.#options.onDied(error, delayMs !== 'give-up')
  }

  #restartIn(delayMs: number): void {
    // Nothing else may keep the process alive while the thread is down.
    const timer = this.#options.clock.startTimer(delayMs, () => void this.#restart(), 'keeps-process-alive')
    this.#state = { kind: 'waiting', timer }
  }

  async #restart(): Promise<void> {
    try {
      await this.#launch()
    } catch (error) {
      if (this.#stopping !== undefined) return
      assert(this.#state.kind === 'starting', 'no hook threw')
      assert(error instanceof Error, 'a start fails with an Error')
      this.#restartAfter(error)
    }
  }
}

/** How long a start that is being aborted may take to end. */
const abortMs = 2_000

/** Async, so that a spec that throws is a start that fails. */
async function startThread(spec: () => ThreadSpec, signal: AbortSignal): Promise<ActorThread> {
  return await ActorThread.start(spec(), signal)
}

/**
 * Stops children in the reverse order of their start, one after another, each within `graceMs`. Goes on after a failure.
 *
 * @throws AggregateError with every failure, at the end
 */
export async function stopInReverse(
  children: readonly { stop(graceMs: number): Promise<unknown> }[],
  graceMs: number,
): Promise<void> {
  const errors: unknown[] = []
  for (const child of children.toReversed()) {
    try {
      await child.stop(graceMs)
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, `${errors.length} parts did not stop cleanly`)
}

function stopped(): Error {
  return engineError('ENGINE_STOPPED', {
    found: 'The thread was stopped while it was being started',
    action: 'Start a new engine.',
  })
}

function endedUnasked(name: string): Error {
  return engineError('ACTOR_FAILED', {
    found: `Thread ${name} was ended from outside`,
    action: 'It is started again within its restart budget.',
  })
}
