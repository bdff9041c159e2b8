/** The charts of the report, as SVG. */
import * as echarts from 'echarts'
import { median, round } from '../../scenario.ts'
import { isMeant, numberText, type PeersFindings, type Row } from './findings.ts'
import { type ContenderName, contenderNames } from './registry.ts'
import { type Metric, type WorkName, works } from './works.ts'

const width = 900
const font = 'sans-serif'
const ink = '#1f2933'
const faint = '#d9dee4'
/** Told apart also by those who do not see all colours, and in grey. */
const palettes = { three: ['#0b3c5d', '#328cc1', '#f0a202'], two: ['#328cc1', '#f0a202'] } as const

interface Bars {
  readonly name: string
  readonly work: WorkName
  readonly metric: Metric
}

interface ChartOrder {
  readonly title: string
  readonly subtitle: string
  readonly unit: string
  readonly bars: readonly Bars[]
  readonly isLog: boolean
  readonly isStacked?: boolean
  readonly max?: number
}

/** By the name of the file. */
export function renderCharts(findings: PeersFindings): Record<string, string> {
  const orders: Readonly<Record<string, ChartOrder>> = {
    throughput: {
      title: 'Jobs a second',
      subtitle: 'more is better; logarithmic scale',
      unit: 'jobs/s',
      isLog: true,
      bars: [
        { name: 'enqueue, a call a job', work: 'enqueue-one', metric: works['enqueue-one'].metrics[0] },
        { name: 'enqueue, in bulk', work: 'enqueue-bulk', metric: works['enqueue-bulk'].metrics[0] },
        { name: 'end to end, until recorded as completed', work: 'no-op', metric: works['no-op'].metrics[0] },
      ],
    },
    latency: {
      title: 'Latency at 500 jobs a second',
      subtitle: 'from when a job was due until its handler began, ms; less is better; logarithmic scale',
      unit: 'ms',
      isLog: true,
      bars: works.latency.metrics.map((metric) => ({ name: metric.title, work: 'latency', metric })),
    },
    cpu: {
      title: 'Use of all cores by jobs of 2 ms',
      subtitle: 'share of what the cores could do at most, %; more is better',
      unit: '%',
      isLog: false,
      max: 100,
      bars: [{ name: 'share of the ideal', work: 'cpu', metric: works.cpu.metrics[0] }],
    },
    memory: {
      title: 'Memory with 100,000 jobs queued',
      subtitle: 'MB; less is better',
      unit: 'MB',
      isLog: false,
      isStacked: true,
      bars: works.memory.metrics.map((metric) => ({ name: metric.title, work: 'memory', metric })),
    },
  }
  return Object.fromEntries(
    Object.entries(orders)
      .filter(([, { bars }]) => bars.some(({ work }) => (findings.works[work] ?? []).length > 0))
      .map(([name, order]) => [name, renderChart(findings, order)]),
  )
}

function renderChart(findings: PeersFindings, order: ChartOrder): string {
  const rowsOf = ({ work }: Bars): readonly Row[] => findings.works[work] ?? []
  const names = contenderNames.filter((name) =>
    order.bars.some((bars) => rowsOf(bars).some(({ contender }) => contender === name)),
  )
  const perContender = order.isStacked === true || order.bars.length === 1 ? 26 : 16 * order.bars.length + 8
  const height = 120 + (order.bars.length > 1 ? 24 : 0) + names.length * (perContender + 12)
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height })
  try {
    chart.setOption(optionsOf(order, names, rowsOf))
    return `${chart.renderToSVGString()}\n`
  } finally {
    chart.dispose()
  }
}

function optionsOf(
  order: ChartOrder,
  names: readonly ContenderName[],
  rowsOf: (bars: Bars) => readonly Row[],
): echarts.EChartsOption {
  const hasLegend = order.bars.length > 1
  const labels = names.map((name) =>
    labelOf(order.bars.flatMap(rowsOf).find((row) => row.contender === name)),
  )
  return {
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: font, color: ink },
    color: order.bars.length === 2 ? [...palettes.two] : [...palettes.three],
    title: {
      text: order.title,
      subtext: order.subtitle,
      left: 16,
      top: 12,
      textStyle: { fontFamily: font, color: ink, fontSize: 18 },
      subtextStyle: { fontFamily: font, color: '#52606d', fontSize: 13 },
    },
    ...(hasLegend
      ? {
          legend: {
            left: 16,
            top: 62,
            itemWidth: 14,
            itemHeight: 10,
            // Text is measured without the reader's font: room for a wider one.
            itemGap: 40,
            textStyle: { fontFamily: font, color: ink },
          },
        }
      : {}),
    grid: { left: 220, right: 90, top: hasLegend ? 96 : 72, bottom: 36 },
    xAxis: {
      ...(order.isLog ? { type: 'log', min: leastOf(order.bars, rowsOf) } : { type: 'value', min: 0 }),
      ...(order.max === undefined ? {} : { max: order.max }),
      axisLabel: { color: '#52606d', formatter: (value: number) => numberText(value) },
      splitLine: { lineStyle: { color: faint } },
    },
    yAxis: {
      type: 'category',
      data: labels,
      // The first stands on top.
      inverse: true,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: faint } },
      axisLabel: {
        color: ink,
        rich: {
          ours: { fontSize: 13, lineHeight: 17, fontWeight: 'bold' },
          peer: { fontSize: 13, lineHeight: 17 },
          below: { fontSize: 11, lineHeight: 14, color: '#52606d' },
        },
      },
    },
    series: order.bars.map((bars) => seriesOf(order, names, bars, rowsOf(bars))),
  }
}

function seriesOf(
  order: ChartOrder,
  names: readonly ContenderName[],
  { name: title, metric }: Bars,
  rows: readonly Row[],
): echarts.BarSeriesOption {
  const data = names.map((name) => {
    const row = rows.find(({ contender }) => contender === name)
    const values = row === undefined || !isMeant(row, metric) ? [] : (row.values[metric.key] ?? [])
    return values.length === 0 ? '-' : round(median(values))
  })
  return {
    type: 'bar',
    name: title,
    data,
    barGap: '10%',
    barCategoryGap: '28%',
    ...(order.isStacked === true ? { stack: 'all' } : {}),
    label: {
      show: true,
      position: order.isStacked === true ? 'inside' : 'right',
      color: ink,
      fontSize: 12,
      formatter: ({ value }) => labelText(Number(value), order.unit),
    },
  }
}

/** Three digits: more would not be legible, nor true. */
function labelText(value: number, unit: string): string {
  const text = value.toLocaleString('en', { maximumSignificantDigits: 3 })
  return unit === '%' ? `${text} %` : text
}

/** Where a logarithmic axis begins: a power of ten, a little below the least bar, so that it still is one. */
function leastOf(bars: readonly Bars[], rowsOf: (bars: Bars) => readonly Row[]): number {
  const values = bars.flatMap((one) => rowsOf(one).flatMap(({ values }) => values[one.metric.key] ?? []))
  return 10 ** Math.floor(Math.log10(Math.min(...values.filter((value) => value > 0)) / 1.5))
}

function labelOf(row: Row | undefined): string {
  if (row === undefined) return ''
  const { contender, title, durability } = row
  const name = title.replace(' (stores nothing)', '')
  const below = durability === 'none' ? 'stores nothing' : `durability: ${durability}`
  return `{${contender.startsWith('ours-') ? 'ours' : 'peer'}|${name}}\n{below|${below}}`
}
