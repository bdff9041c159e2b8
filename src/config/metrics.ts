import type { OptionFor, SwitchOption } from './option.ts'

/** Where metrics are served. */
export interface MetricsSettings {
  /**
   * TCP port on which `/metrics` answers in Prometheus' text format, 0 (any that is free; `engine.metrics.port` says which)
   * to 65,535; -1: none is opened, and metrics are for `engine.metrics.text()` and OpenTelemetry. Default -1. To name one
   * turns metrics on. `SEMANTICA_METRICS_PORT`
   */
  readonly port: number
  /** Address that it listens on. Nothing protects it, so open it to others with care. Default `127.0.0.1`. `SEMANTICA_METRICS_HOST` */
  readonly host: string
}

export type MetricsOptions = Partial<MetricsSettings>

export const metricsSwitch: SwitchOption = {
  kind: 'switch',
  holdsOptions: true,
  variable: 'SEMANTICA_METRICS',
  fallback: () => false,
  fallbackText: 'off',
  meaning:
    'numbers for Prometheus and OpenTelemetry, see [below](#metrics); `true` or `on`: they are measured',
}

export const metricsOptions = {
  port: {
    kind: 'number',
    variable: 'SEMANTICA_METRICS_PORT',
    minimum: -1,
    maximum: 65_535,
    fallback: () => -1,
    fallbackText: '-1 (none)',
    meaning:
      "port on which `/metrics` answers in Prometheus' text format, 0 for any that is free (`engine.metrics.port` says which); one that is taken is refused as `PORT_UNAVAILABLE`. To name one turns metrics on",
  },
  host: {
    kind: 'text',
    variable: 'SEMANTICA_METRICS_HOST',
    fallback: () => '127.0.0.1',
    meaning: 'address that it listens on; nothing protects it, so open it to others with care',
  },
} as const satisfies { readonly [Name in keyof MetricsSettings]: OptionFor<MetricsSettings[Name]> }
