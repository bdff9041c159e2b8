/** What an engine is observed by beside its events: metrics and alerts, which look at the same facts. */
import { systemClock } from '../clock.ts'
import type { AlertSettings, MetricsSettings } from '../config.ts'
import { engineError } from '../errors.ts'
import type { Alert } from '../telemetry/alerts.ts'
import { EventTally } from '../telemetry/event-tally.ts'
import type { EngineEvents } from '../telemetry/events.ts'
import type { EngineFacts } from '../telemetry/facts.ts'
import type { MetricFacts } from '../telemetry/metric-catalog.ts'
import type { MetricsServer } from '../telemetry/metrics-server.ts'
import { AlertWatch } from './alert-watch.ts'
import { readDiskFacts } from './disk-facts.ts'

export interface ObservationSettings {
  /** Undefined: off. */
  readonly metrics: MetricsSettings | undefined
  readonly alerts: AlertSettings | undefined
}

/** What is observed. */
export interface Observed {
  readonly databaseId: string
  readonly path: string
  readonly events: EngineEvents
  readEngine(): Promise<EngineFacts>
}

/** The numbers of an engine, for Prometheus and OpenTelemetry. */
export interface EngineMetrics {
  /**
   * All metrics as Prometheus reads them.
   *
   * @throws METRICS_OFF when the engine was started without `metrics`; ENGINE_STOPPED, ENGINE_FAILED
   * @example console.log(await engine.metrics.text())
   */
  text(): Promise<string>
  /** The port that `/metrics` is served on; undefined when it is not. */
  readonly port: number | undefined
  /** The whole address, such as `http://127.0.0.1:9464/metrics`. */
  readonly url: string | undefined
}

export class Observation {
  readonly #settings: ObservationSettings
  readonly #server: MetricsServer | undefined
  #observed: (Observed & Pick<MetricFacts, 'startedAtMs'> & { readonly tally: EventTally }) | undefined
  #watch: AlertWatch | undefined
  #closeMeters: (() => void) | undefined

  private constructor(settings: ObservationSettings, server: MetricsServer | undefined) {
    this.#settings = settings
    this.#server = server
  }

  /**
   * Opens the port, before anything else is begun: one that is taken leaves nothing to be undone.
   *
   * @throws PORT_UNAVAILABLE
   */
  static async open(settings: ObservationSettings): Promise<Observation> {
    if (settings.metrics === undefined || settings.metrics.port === -1)
      return new Observation(settings, undefined)
    const { host, port } = settings.metrics
    const { MetricsServer } = await import('../telemetry/metrics-server.ts')
    return new Observation(settings, await MetricsServer.open(host, port))
  }

  /** Before anything of the engine is told, so that nothing is missed. */
  async begin(observed: Observed): Promise<void> {
    const { metrics, alerts } = this.#settings
    if (metrics !== undefined) await this.#beginMetrics(observed)
    if (alerts === undefined) return
    // Last, since the engine is started then: nothing is told before somebody can listen.
    this.#watch = new AlertWatch({
      settings: alerts,
      clock: systemClock,
      events: observed.events,
      readEngine: () => observed.readEngine(),
      readDisk: () => readDiskFacts(observed.path),
    })
  }

  async #beginMetrics(observed: Observed): Promise<void> {
    const startedAtMs = systemClock.wallMs()
    this.#observed = { ...observed, startedAtMs, tally: new EventTally(observed.events) }
    const { registerMeters } = await import('../telemetry/meters.ts')
    this.#closeMeters = await registerMeters(observed.databaseId, () => this.#read())
    this.#server?.serve(() => this.metrics.text())
  }

  get activeAlerts(): readonly Alert[] {
    return this.#watch?.active ?? []
  }

  get metrics(): EngineMetrics {
    return {
      text: async () => {
        const facts = await this.#read()
        const { toPrometheusText } = await import('../telemetry/prometheus.ts')
        return toPrometheusText(facts)
      },
      port: this.#server?.port,
      url: this.#server?.url,
    }
  }

  /** The engine could not be started. @throws `error`, once everything is closed */
  async abandon(error: unknown): Promise<never> {
    await this.close()
    throw error
  }

  async close(): Promise<void> {
    this.#watch?.stop()
    this.#closeMeters?.()
    await this.#server?.close()
  }

  async #read(): Promise<MetricFacts> {
    if (this.#observed === undefined) {
      throw engineError('METRICS_OFF', {
        found: 'Metrics are off',
        action: 'Start the engine with `metrics: true`, or with a port to serve them on.',
      })
    }
    const { path, tally, startedAtMs } = this.#observed
    const [engine, disk] = await Promise.all([this.#observed.readEngine(), readDiskFacts(path)])
    return { engine, disk, tally, startedAtMs, activeAlerts: this.activeAlerts }
  }
}
