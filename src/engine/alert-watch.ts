/** Looks at the engine every few seconds, and tells when something is over its threshold, and when it no longer is. */
import type { Clock, Timer } from '../clock.ts'
import type { AlertSettings } from '../config.ts'
import { type Alert, type AlertFacts, evaluateAlerts, noAlerts } from '../telemetry/alerts.ts'
import type { EngineEvents } from '../telemetry/events.ts'
import type { EngineFacts } from '../telemetry/facts.ts'
import type { DiskFacts } from '../telemetry/metric-catalog.ts'

interface Surroundings {
  readonly settings: AlertSettings
  readonly clock: Clock
  readonly events: EngineEvents
  readEngine(): Promise<EngineFacts>
  readDisk(): Promise<DiskFacts | undefined>
}

export class AlertWatch {
  readonly #surroundings: Surroundings
  #state = noAlerts
  #timer: Timer | undefined
  #isStopped = false

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
    this.#plan()
  }

  get active(): readonly Alert[] {
    return this.#state.active
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** The timer does not keep the process alive. */
  #plan(): void {
    const { clock, settings } = this.#surroundings
    this.#timer = clock.startTimer(settings.everyMs, () => void this.#look())
  }

  async #look(): Promise<void> {
    const { settings, clock, events, readEngine, readDisk } = this.#surroundings
    try {
      const [engine, disk] = await Promise.all([readEngine(), readDisk()])
      if (this.#isStopped) return
      const facts = alertFacts(engine, disk)
      const now = { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() }
      const { state, raised, resolved } = evaluateAlerts(this.#state, facts, now, settings)
      this.#state = state
      for (const alert of resolved) events.emit('alert-resolved', alert)
      for (const alert of raised) events.emit('alert', alert)
    } catch {
      // The supervisor is down, which has an event of its own; or the next look will be answered.
    }
    if (!this.#isStopped) this.#plan()
  }
}

function alertFacts(engine: EngineFacts, disk: DiskFacts | undefined): AlertFacts {
  // A claim is no beginning: it may wait in a thread whose handler never ends.
  const queues = Object.entries(engine.queues).map(([queue, { jobs, entered, waitingClaims }]) => ({
    queue,
    waiting: jobs.QUEUED + waitingClaims,
    began: entered.RUNNING - waitingClaims,
  }))
  return {
    diskUsedPercent: disk?.usedPercent,
    done: engine.entered.DONE,
    failed: engine.entered.FAILED,
    queues,
    isThrottled: engine.isThrottled,
    failedMaintenanceRuns: engine.failedMaintenanceRuns,
  }
}
