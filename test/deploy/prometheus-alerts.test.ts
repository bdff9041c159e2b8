/** Goal: the rules that are shipped speak of metrics, labels and values that an engine really has. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { alertKinds } from '../../src/telemetry/alerts.ts'
import { metricCatalog, prometheusName } from '../../src/telemetry/metric-catalog.ts'
import { readMetricText } from '../engine/metric-text.ts'
import { useEngines } from '../engine/open-engine.ts'

const root = resolve(import.meta.dirname, '../..')
const path = join(root, 'deploy/prometheus-alerts.yml')

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string }
}

const { groups } = parse(readFileSync(path, 'utf8')) as {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
}
const rules = groups.flatMap((group) => group.rules)
const engines = useEngines()

/** The metrics that an expression names, with the labels that it asks for. */
function selectorsOf(expr: string): { readonly name: string; readonly labels: Map<string, string> }[] {
  return [...expr.matchAll(/(semantica_\w+)(?:\{([^}]*)\})?/g)].map(([, name = '', labels = '']) => ({
    name,
    labels: new Map([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value])),
  }))
}

test('every metric of a rule is one of the engine, with these labels', async () => {
  const engine = await engines.open({ metrics: true })
  await (await engine.enqueue('OK', 1)).result()
  const series = [...readMetricText(await engine.metrics.text()).keys()]
  const selectors = rules.flatMap(({ expr }) => selectorsOf(expr))
  expect(selectors.length).toBeGreaterThanOrEqual(rules.length)
  for (const { name, labels } of selectors) {
    const found = series.filter((one) => one === name || one.startsWith(`${name}{`))
    expect(found, name).not.toEqual([])
    const wanted = [...labels].map(([key, value]) => `${key}="${value}"`)
    expect(
      found.some((one) => wanted.every((label) => one.includes(label))),
      `${name} ${wanted}`,
    ).toBe(true)
  }
})

test('every label that is grouped by or told is one that its metric has, or that Prometheus adds', async () => {
  const engine = await engines.open({ metrics: true })
  await (await engine.enqueue('OK', 1)).result()
  const series = [...readMetricText(await engine.metrics.text()).keys()]
  for (const { alert, expr, annotations } of rules) {
    const names = selectorsOf(expr).map(({ name }) => name)
    const known = series
      .filter((one) => names.some((name) => one.startsWith(`${name}{`)))
      .flatMap((one) => [...one.matchAll(/(\w+)="/g)].map(([, key]) => key))
    const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '))
    const told = [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)].map(([, key]) => key)
    for (const label of [...grouped, ...told]) expect(['instance', 'job', ...known], alert).toContain(label)
    if (grouped.length > 0) for (const label of told) expect(grouped, alert).toContain(label)
  }
})

test('each alert of the engine has its rule, and each rule a name, a severity and what to do', () => {
  for (const kind of alertKinds)
    expect(rules.filter(({ expr }) => expr === `semantica_alert_active{kind="${kind}"} > 0`)).toHaveLength(1)
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  for (const { alert, labels, annotations } of rules) {
    expect(alert).toMatch(/^Semantica[A-Z]\w+$/)
    expect(['warning', 'critical']).toContain(labels.severity)
    expect(annotations.summary).toContain('{{ $labels.instance }}')
    expect(annotations.description).toMatch(/\.$/)
  }
})

test('histograms of a rule are histograms, and counters are only looked at by their increase', () => {
  const kinds = new Map(metricCatalog.map((metric) => [prometheusName(metric), metric.kind]))
  for (const { alert, expr } of rules) {
    for (const { name } of selectorsOf(expr)) {
      const kind = kinds.get(name.replace(/_bucket$/, ''))
      const isRated = new RegExp(`(?:rate|increase)\\(${name}`).test(expr)
      // This one never rises: it is 1 from the start where the process before has died.
      if (expr.includes(`${name}{cause="PROCESS_DIED"} > 0`)) continue
      expect(isRated, alert).toBe(kind !== 'gauge')
    }
  }
})

test('a process that crashes in a loop is told by its starts, since its counters begin anew with each', () => {
  const loop = rules.find(({ expr }) => expr.includes('cause="PROCESS_DIED"'))
  expect(loop?.expr).toBe(
    'changes(semantica_start_time_seconds[15m]) > 2 and ignoring (cause) semantica_crashes_total{cause="PROCESS_DIED"} > 0',
  )
})

test('the file is part of the package', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] }
  expect(manifest.files).toContain('deploy')
})

const hasPromtool = spawnSync('promtool', ['--version']).status === 0

test.skipIf(!hasPromtool)('promtool accepts it', () => {
  const checked = spawnSync('promtool', ['check', 'rules', path], { encoding: 'utf8' })
  expect(checked.stdout + checked.stderr).toContain(`${rules.length} rules found`)
  expect(checked.status).toBe(0)
})

test.skipIf(!hasPromtool)('promtool has nothing to say about the metrics', async () => {
  const engine = await engines.open({ metrics: true })
  await (await engine.enqueue('OK', 1)).result()
  const input = await engine.metrics.text()
  const checked = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
  expect([checked.status, checked.stdout, checked.stderr]).toEqual([0, '', ''])
})
