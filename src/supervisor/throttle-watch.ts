/**
 * Measures the load once a second, while there is something to run or to let go on, and tells when jobs of low priority
 * are to be held and when not. An idle engine wakes for nothing: the timer is started by the cycle that finds work, and
 * not started anew when there is none.
 *
 * The first reading of the CPU is only the beginning of the second that is measured by the next one.
 */
import type { Clock, Timer } from '../clock.ts'
import type { LoadMeasure, ThrottleSettings } from '../config.ts'
import { lowestPriority } from '../job/spec.ts'
import type { Changes } from './changes.ts'
import { MachineLoad } from './machine-load.ts'
import type { EngineEvent, Throttled } from './messages.ts'
import type { SupervisorSurroundings } from './surroundings.ts'
import { calmState, limitOf, observe, reasonOf, type ThrottleReason } from './throttle.ts'

/** How long the host may take to answer at least, however often it is asked: its thread may be busy. */
const shortestAnswerMs = 1_000

export class ThrottleWatch {
  readonly #settings: ThrottleSettings | undefined
  readonly #clock: Clock
  readonly #changes: Changes
  readonly #wake: () => void
  readonly #tellHost: SupervisorSurroundings['tell']
  readonly #load: MachineLoad
  #state = calmState
  #held: { readonly reason: ThrottleReason; readonly since: Date; readonly sinceMs: number } | undefined
  #timer: Timer | undefined
  /** Monotonic time at which the host was asked; undefined: it owes no answer. */
  #askedAtMs: number | undefined
  #isStopped = false

  /** @param wake called when jobs that were held may begin */
  constructor({ start, clock, tell }: SupervisorSurroundings, changes: Changes, wake: () => void) {
    this.#settings = start.throttle
    this.#clock = clock
    this.#changes = changes
    this.#wake = wake
    this.#tellHost = tell
    this.#load = new MachineLoad(clock)
  }

  get throttled(): Throttled | undefined {
    if (this.#held === undefined || this.#settings === undefined) return undefined
    const { reason, since } = this.#held
    return {
      reason,
      since,
      foundPercent: this.#state.gauges[reason].foundPercent,
      limitPercent: limitOf(reason, this.#settings),
      belowPriority: this.#settings.belowPriority,
    }
  }

  /** To be called after each cycle. */
  keep(): void {
    if (this.#timer !== undefined || this.#settings === undefined || this.#isStopped) return
    if (!this.#isNeeded()) return
    const settings = this.#settings
    this.#timer = this.#clock.startTimer(settings.everyMs, () => this.#look(settings))
  }

  /** The host's answer. */
  measured(load: LoadMeasure): void {
    if (this.#askedAtMs === undefined || this.#settings === undefined || this.#isStopped) return
    this.#askedAtMs = undefined
    this.#heed(load, this.#settings)
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #look(settings: ThrottleSettings): void {
    this.#timer = undefined
    if (!this.#isNeeded()) {
      // What was seen before the rest says nothing about what comes after it.
      this.#state = calmState
      this.#load.forget()
      return
    }
    if (settings.asksHost) this.#askHost(settings)
    else this.#heed(this.#load.read(), settings)
    this.keep()
  }

  #askHost(settings: ThrottleSettings): void {
    const nowMs = this.#clock.monotonicMs()
    if (this.#askedAtMs !== undefined) {
      if (nowMs - this.#askedAtMs < shortestAnswerMs) return
      this.#heed({}, settings)
    }
    this.#askedAtMs = nowMs
    this.#tellHost({ kind: 'measure' })
  }

  #heed(load: LoadMeasure, settings: ThrottleSettings): void {
    this.#state = observe(this.#state, load, settings)
    const reason = reasonOf(this.#state)
    const before = this.#held
    if (reason === before?.reason) return
    if (reason === undefined) {
      this.#held = undefined
      this.#changes.holdBelow(lowestPriority)
      this.#wake()
    } else {
      this.#held = {
        reason,
        since: before?.since ?? new Date(this.#clock.wallMs()),
        sinceMs: before?.sinceMs ?? this.#clock.monotonicMs(),
      }
      this.#changes.holdBelow(settings.belowPriority)
    }
    this.#tell(before)
  }

  #tell(before: { readonly reason: ThrottleReason; readonly sinceMs: number } | undefined): void {
    const { throttled } = this
    if (throttled !== undefined) {
      const { since: _, ...facts } = throttled
      this.#emit({ kind: 'throttled', ...facts })
    } else if (before !== undefined) {
      const heldForMs = Math.round(this.#clock.monotonicMs() - before.sinceMs)
      this.#emit({ kind: 'resumed', reason: before.reason, heldForMs })
    }
  }

  #emit(event: EngineEvent): void {
    this.#tellHost({ kind: 'event', event, at: this.#clock.wallMs() })
  }

  /** Whether any job waits for its turn, or runs, or may have to go on. */
  #isNeeded(): boolean {
    const { counters } = this.#changes.writer
    return this.#held !== undefined || counters.total('QUEUED') + counters.total('RUNNING') > 0
  }
}
