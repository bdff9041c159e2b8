import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { metrics as api } from '@opentelemetry/api'
import { type DataPoint, type Histogram, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { expect, test, vi } from 'vitest'
import { readMetrics } from '../../src/config.ts'
import { metricCatalog, prometheusName } from '../../src/telemetry/metric-catalog.ts'
import { readMetricText } from './metric-text.ts'
import { rejectionOf, useEngines } from './open-engine.ts'
import { openPrograms } from './open-programs.ts'

const engines = useEngines({ threads: 2 })

type Opened = Awaited<ReturnType<typeof engines.open>>

const valuesOf = async (engine: Pick<Opened, 'metrics'>) => readMetricText(await engine.metrics.text())

/** Three jobs that are done, one that fails in its second attempt, and one that waits at a gate. */
async function openBusy(options: Parameters<typeof engines.open>[0] = {}) {
  const { stage } = engines
  const engine = await engines.open({ metrics: true, ...options })
  const done = await engine.enqueueMany(['a', 'b', 'c'].map((payload) => ({ type: 'OK' as const, payload })))
  await Promise.all(done.map((job) => job.result()))
  const retry = { maxAttempts: 2, backoffMs: 1 }
  const failing = await engine.enqueue('THROW', undefined, { queue: 'mail', retry })
  await rejectionOf(failing.result(), 'JOB_FAILED')
  await engine.enqueue('GATE', { gate: 'held' })
  await stage.waits('held')
  return { engine, stage }
}

test('the text holds what the jobs did, by queue, state and type', async () => {
  const { engine, stage } = await openBusy()
  const named = await engine.enqueue('NOTHING', 1, { queue: '__proto__' })
  await named.result()
  const values = await valuesOf(engine)
  expect(values.get('semantica_jobs{state="DONE",queue="default"}')).toBe(3)
  expect(values.get('semantica_enqueued_total{queue="__proto__"}')).toBe(1)
  expect(Object.keys((await engine.stats()).queues)).toContain('__proto__')
  expect(values.get('semantica_jobs{state="RUNNING",queue="default"}')).toBe(1)
  expect(values.get('semantica_jobs{state="FAILED",queue="mail"}')).toBe(1)
  expect(values.get('semantica_enqueued_total{queue="default"}')).toBe(4)
  expect(values.get('semantica_enqueued_total{queue="mail"}')).toBe(1)
  expect(values.get('semantica_settled_total{state="DONE",queue="default"}')).toBe(3)
  expect(values.get('semantica_settled_total{state="FAILED",queue="mail"}')).toBe(1)
  expect(values.get('semantica_retries_total{job_type="THROW",cause="THREW"}')).toBe(1)
  expect(values.get('semantica_wait_seconds_count{job_type="OK"}')).toBe(3)
  expect(values.get('semantica_run_seconds_count{job_type="THROW"}')).toBe(2)
  expect(values.get('semantica_wait_seconds_count{job_type="THROW"}')).toBe(1)
  expect(values.get('semantica_wait_seconds_count{job_type="GATE"}')).toBeUndefined()
  expect(values.get('semantica_threads_ready')).toBe(2)
  // The other thread may still be about to tell that it has nothing left.
  expect(values.get('semantica_threads_busy')).toBeGreaterThanOrEqual(1)
  expect(values.get('semantica_claims')).toBe(1)
  expect(values.get('semantica_commit_seconds_count')).toBe(values.get('semantica_commit_changes_count'))
  expect(values.get('semantica_database_bytes')).toBeGreaterThan(0)
  expect(values.get('semantica_wal_bytes')).toBeGreaterThan(0)
  expect(values.get('semantica_event_loop_delay_seconds{statistic="maximum"}')).toBeGreaterThanOrEqual(0)
  stage.open('held')
  await engine.idle()
  expect((await valuesOf(engine)).get('semantica_run_seconds_count{job_type="GATE"}')).toBe(1)
})

test('each change of state is in a commit, and only what was committed is counted', async () => {
  const engine = await engines.open({ metrics: true, threads: 1 })
  await engine.enqueueMany(Array.from({ length: 500 }, () => ({ type: 'TINY' as const, payload: null })))
  await engine.idle()
  const values = await valuesOf(engine)
  const queued = values.get('semantica_commit_changes_sum') ?? 0
  // Added as running and done; or queued first, and claimed later.
  expect(queued).toBeGreaterThanOrEqual(1_000)
  expect(queued).toBeLessThanOrEqual(1_500)
  expect(values.get('semantica_run_seconds_count{job_type="TINY"}')).toBe(500)
  expect(values.get('semantica_run_seconds_bucket{job_type="TINY",le="+Inf"}')).toBe(500)
  expect(values.get('semantica_jobs{state="DONE",queue="default"}')).toBe(500)
})

test('a handler that takes its time is found in its bucket, and so is who waited for it', async () => {
  const engine = await engines.open({ metrics: true, threads: 1 })
  const [first, second] = await engine.enqueueMany([
    { type: 'SPINS', payload: { ms: 60 } },
    { type: 'OK', payload: 1 },
  ])
  await Promise.all([first?.result(), second?.result()])
  const values = await valuesOf(engine)
  expect(values.get('semantica_run_seconds_bucket{job_type="SPINS",le="0.05"}')).toBe(0)
  expect(values.get('semantica_run_seconds_sum{job_type="SPINS"}')).toBeGreaterThanOrEqual(0.06)
  expect(values.get('semantica_run_seconds_bucket{job_type="SPINS",le="+Inf"}')).toBe(1)
  expect(values.get('semantica_wait_seconds_sum{job_type="OK"}')).toBeGreaterThanOrEqual(0.05)
  // No test takes that long: the two times of which it is the difference are of one clock.
  expect(values.get('semantica_wait_seconds_bucket{job_type="OK",le="3600"}')).toBe(1)
})

test('a program that never had its turn waited for no time that can be told', async () => {
  const engine = await openPrograms(engines, {}, { metrics: true })
  await rejectionOf(
    (await engine.enqueue('SUBPROCESS', { command: 'no-such-program' })).result(),
    'JOB_FAILED',
  )
  await (await engine.enqueue('SUBPROCESS', { command: 'true' })).result()
  const values = await valuesOf(engine)
  for (const which of ['wait', 'run']) {
    expect(values.get(`semantica_${which}_seconds_count{job_type="SUBPROCESS"}`)).toBe(1)
    expect(values.get(`semantica_${which}_seconds_sum{job_type="SUBPROCESS"}`)).toBeLessThan(3_600)
  }
})

test('crashes are counted by their cause', async () => {
  const engine = await engines.open({ metrics: true })
  const job = await engine.enqueue('EXIT')
  await rejectionOf(job.result(), 'JOB_FAILED')
  const values = await valuesOf(engine)
  expect(values.get('semantica_crashes_total{cause="EXITED"}')).toBe(2)
  expect(values.get('semantica_retries_total{job_type="EXIT",cause="EXITED"}')).toBe(1)
  expect(values.get('semantica_run_seconds_count{job_type="EXIT"}')).toBe(2)
  expect(values.get('semantica_wait_seconds_count{job_type="EXIT"}')).toBe(1)
  expect(values.get('semantica_crashes_total{cause="OUT_OF_MEMORY"}')).toBe(0)
})

test('the death of the process before is a crash, an attempt for who ran alone, and the recovery a commit', async () => {
  const first = await engines.open()
  await (await first.enqueue('OK', 1)).result()
  await first.stop()
  engines.change(`UPDATE jobs SET state = 'RUNNING', finished_at = NULL, suspicion = 2;
    UPDATE meta SET value = '1' WHERE name = 'claims';
    UPDATE counters SET jobs = 0 WHERE state = 'DONE';
    INSERT OR REPLACE INTO counters VALUES ('default', 'RUNNING', 1)`)
  const engine = await engines.open({ metrics: true })
  await engine.idle()
  const values = await valuesOf(engine)
  expect(values.get('semantica_crashes_total{cause="PROCESS_DIED"}')).toBe(1)
  expect(values.get('semantica_retries_total{job_type="OK",cause="PROCESS_DIED"}')).toBe(1)
  expect(values.get('semantica_enqueued_total{queue="default"}')).toBe(0)
  expect(values.get('semantica_settled_total{state="DONE",queue="default"}')).toBe(1)
  expect(values.get('semantica_commit_seconds_count')).toBeGreaterThanOrEqual(2)
  // Nothing takes an hour, however long the machine has been up.
  const inAnHour = values.get('semantica_commit_seconds_bucket{le="3600"}')
  expect(inAnHour).toBe(values.get('semantica_commit_seconds_count'))
})

test('an engine whose supervisor has died says so in place of its metrics', async () => {
  const forbidden = engines.pathOf('forbidden')
  vi.stubEnv('SCRIPTED_SET_UP_FORBIDDEN', forbidden)
  try {
    const setup = join(import.meta.dirname, '../fixtures/jobs/set-up.ts')
    const engine = await engines.open({ metrics: { port: 0 }, setup, threads: 1 })
    const failed = new Promise((resolve) => engine.events.once('engine-failed', resolve))
    // No new thread becomes ready any more, and in the end the supervisor gives up.
    writeFileSync(forbidden, '')
    const result = (await engine.enqueue('EXIT', { times: 1 })).result()
    await Promise.all([failed, rejectionOf(result, 'ENGINE_FAILED')])
    await rejectionOf(engine.metrics.text(), 'ENGINE_FAILED')
    const answer = await fetch(engine.metrics.url ?? '')
    expect(answer.status).toBe(503)
    expect(await answer.text()).toContain('The supervisor thread died')
    await engine.stop()
    rmSync(forbidden)
    const next = await engines.open({ setup })
    await next.idle()
  } finally {
    vi.unstubAllEnvs()
  }
})

test('runs of the maintenance are counted, and what they gave back', async () => {
  const engine = await engines.open({ metrics: true })
  const report = { deletedJobs: 5, deletedEarly: 1, deletedArtifacts: 2, reclaimedBytes: 8_192, elapsedMs: 1 }
  for (const outcome of ['completed', 'failed', 'completed'] as const)
    engine.events.emit('maintenance-completed', { outcome, ...report })
  const values = await valuesOf(engine)
  expect(values.get('semantica_maintenance_runs_total{outcome="completed"}')).toBe(2)
  expect(values.get('semantica_maintenance_runs_total{outcome="failed"}')).toBe(1)
  expect(values.get('semantica_maintenance_reclaimed_bytes_total')).toBe(24_576)
  expect(values.get('semantica_maintenance_deleted_jobs_total')).toBe(15)
  expect(values.get('semantica_maintenance_deleted_early_total')).toBe(3)
  expect(values.get('semantica_maintenance_deleted_artifacts_total')).toBe(6)
})

test('names, units and helps are as Prometheus wants them', () => {
  const names = metricCatalog.map(prometheusName)
  expect(new Set(names).size).toBe(names.length)
  for (const metric of metricCatalog) {
    const name = prometheusName(metric)
    expect(name).toMatch(/^semantica_[a-z_]+$/)
    expect(name.endsWith('_total')).toBe(metric.kind === 'counter')
    expect(metric.help).toMatch(/^[A-Z1].+\.$/)
  }
})

test('they are served on a port of 127.0.0.1, until the engine stops', async () => {
  const engine = await engines.open({ metrics: { port: 0 } })
  const { url = '', port } = engine.metrics
  expect(url).toBe(`http://127.0.0.1:${port}/metrics`)
  const answer = await fetch(url)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(readMetricText(await answer.text()).get('semantica_threads_ready')).toBe(2)
  expect((await fetch(`${url}?whatever`)).status).toBe(200)
  const head = await fetch(url, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  expect((await fetch(url.replace('/metrics', '/'))).status).toBe(404)
  const posted = await fetch(url, { method: 'POST' })
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  await engine.stop()
  await expect(fetch(url)).rejects.toThrow()
  await expect(engine.metrics.text()).rejects.toThrow()
})

test('a port that is taken is named, and leaves nothing behind', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const address = other.address()
  const port = typeof address === 'object' ? address?.port : undefined
  try {
    const error = await rejectionOf(engines.open({ metrics: { port: port ?? 0 } }), 'PORT_UNAVAILABLE')
    expect(error.message).toContain(
      `Port ${port} of 127.0.0.1 cannot be opened: another program listens on it`,
    )
  } finally {
    await new Promise((resolve) => other.close(resolve))
  }
  // The database was not even opened, and the port is free for the next one.
  const engine = await engines.open({ metrics: { port: port ?? 0 } })
  expect(engine.metrics.port).toBe(port)
})

test('an engine that does not start gives its port back', async () => {
  const first = await engines.open({ metrics: { port: 0 } })
  const port = first.metrics.port ?? 0
  await first.stop()
  const missing = engines.pathOf('missing/tasks.db')
  await rejectionOf(engines.open({ database: missing, metrics: { port } }), 'PATH_INVALID')
  const again = await engines.open({ metrics: { port } })
  expect(again.metrics.port).toBe(port)
})

test('without metrics there are none, and who asks is told so', async () => {
  const engine = await engines.open()
  const error = await rejectionOf(engine.metrics.text(), 'METRICS_OFF')
  expect(error.message).toContain('`metrics: true`')
  expect(engine.metrics.port).toBeUndefined()
  expect(engine.metrics.url).toBeUndefined()
})

test.each([
  [{ port: -2 }, 'metrics.port is -2. Allowed: a whole number from -1 to 65,535'],
  [{ port: 65_536 }, 'metrics.port'],
  [{ port: 1.5 }, 'metrics.port'],
  [{ port: '80' }, 'metrics.port'],
  [{ host: '' }, 'metrics.host is ""'],
  [{ host: 7 }, 'metrics.host is 7'],
  [
    { ports: 80 },
    'metrics.ports is not an option of metrics. Allowed: port, host. Did you mean metrics.port?',
  ],
  [null, 'metrics is null'],
  ['yes', 'metrics is "yes"'],
])('%j is refused by name', async (metrics, text) => {
  // @ts-expect-error some of them are not even of the right type
  const error = await rejectionOf(engines.open({ metrics }), 'OPTION_INVALID')
  expect(error.message).toContain(text)
})

test('they are on where something says so, or names a port, and off where that is said', () => {
  const read = (code: object, environment: Readonly<Record<string, string>> = {}) =>
    readMetrics({ code, environment })
  const named = { SEMANTICA_METRICS_PORT: '9464', SEMANTICA_METRICS_HOST: '0.0.0.0' }
  expect(read({})).toBeUndefined()
  expect(read({}, { SEMANTICA_METRICS_PORT: '' })).toBeUndefined()
  expect(read({}, named)).toEqual({ port: 9464, host: '0.0.0.0' })
  expect(read({ metrics: true })).toEqual({ port: -1, host: '127.0.0.1' })
  expect(read({ metrics: {} })).toEqual({ port: -1, host: '127.0.0.1' })
  expect(read({ metrics: { port: 0, host: '::1' } })).toEqual({ port: 0, host: '::1' })
  expect(read({ metrics: { port: 1, host: '::1' } }, named)).toEqual({ port: 9464, host: '0.0.0.0' })
  expect(read({}, { SEMANTICA_METRICS: 'on' })).toEqual({ port: -1, host: '127.0.0.1' })
  expect(read({ metrics: { port: 1 } }, { SEMANTICA_METRICS: 'off' })).toBeUndefined()
  expect(read({ metrics: false }, named)).toBeUndefined()
  const file = { path: '/etc/semantica.config.json', values: { metrics: { port: 9_000 } } }
  expect(readMetrics({ file, environment: {} })?.port).toBe(9_000)
  expect(() => read({}, { SEMANTICA_METRICS_PORT: 'http' })).toThrow('SEMANTICA_METRICS_PORT')
})

/** Collects when the test says so. */
class Collector extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

test('an OpenTelemetry SDK gets the same numbers, histograms to the last value', async () => {
  const collector = new Collector()
  const provider = new MeterProvider({ readers: [collector] })
  api.setGlobalMeterProvider(provider)
  try {
    const { engine, stage } = await openBusy()
    await collector.collect()
    stage.open('held')
    await engine.idle()
    const { resourceMetrics, errors } = await collector.collect()
    expect(errors).toEqual([])
    const [scope] = resourceMetrics.scopeMetrics
    expect(scope?.scope.name).toBe('semantica-task-engine')
    const found = new Map(scope?.metrics.map((metric) => [metric.descriptor.name, metric]))
    const values = await valuesOf(engine)
    const points = (name: string) => (found.get(name)?.dataPoints ?? []) as DataPoint<number>[]
    const done = points('semantica.jobs').find(({ attributes }) => attributes.state === 'DONE')
    expect(done?.value).toBe(4)
    expect(done?.attributes.database).toMatch(/^[0-9a-z]{8}$/)
    expect(found.get('semantica.wait')?.descriptor.unit).toBe('s')
    for (const name of ['semantica.wait', 'semantica.run']) {
      for (const { attributes, value } of (found.get(name)?.dataPoints ?? []) as DataPoint<Histogram>[]) {
        const series = (part: string) =>
          `${name.replace('.', '_')}_seconds_${part}{job_type="${attributes.job_type}"}`
        expect(value.count).toBe(values.get(series('count')))
        expect(value.sum).toBeCloseTo(values.get(series('sum')) ?? 0, 9)
        let count = 0
        for (const [bucket, bound] of value.buckets.boundaries.entries()) {
          count += value.buckets.counts[bucket] ?? 0
          const text = `${name.replace('.', '_')}_seconds_bucket{job_type="${attributes.job_type}",le="${bound}"}`
          expect(count, text).toBe(values.get(text))
        }
      }
    }
    await engine.stop()
    // Nobody asks an engine that is no more.
    expect((await collector.collect()).errors).toEqual([])
  } finally {
    await provider.shutdown()
    api.disable()
  }
})
