import { rmSync, statfsSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { readAlerts } from '../../src/config.ts'
import type { EngineEventMap } from '../../src/telemetry/events.ts'
import { readMetricText } from './metric-text.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines({ threads: 2 })

type Opened = Awaited<ReturnType<typeof engines.open>>

/** Nothing is over its threshold, unless the test says so. */
const calm = { diskPercent: 100, failurePercent: 100, stalledAfterMs: 0, everyMs: 10 }

function nextEvent<Name extends keyof EngineEventMap>(engine: Opened, name: Name) {
  return new Promise<EngineEventMap[Name]>((resolve) => engine.events.once(name, resolve))
}

async function activeOf(engine: Opened, kind: string): Promise<number | undefined> {
  return readMetricText(await engine.metrics.text()).get(`semantica_alert_active{kind="${kind}"}`)
}

function readUsedPercent(folder: string): number {
  const { blocks, bfree, bavail } = statfsSync(folder)
  return ((blocks - bfree) / (blocks - bfree + bavail)) * 100
}

// No threshold is below 1 %, and an empty disk is not filled for a test: what follows from its use is in a table elsewhere.
test.skipIf(readUsedPercent(tmpdir()) < 2)('a disk that is fuller than it may be', async () => {
  const usedPercent = readUsedPercent(engines.folder)
  const diskPercent = Math.max(Math.floor(usedPercent) - 1, 1)
  const engine = await engines.open({ metrics: true, alerts: { ...calm, diskPercent } })
  const alert = await nextEvent(engine, 'alert')
  expect(alert).toMatchObject({ kind: 'disk-use', queue: undefined, threshold: diskPercent })
  // Others write to the disk meanwhile.
  expect(Math.abs(alert.found - usedPercent)).toBeLessThan(5)
  expect(alert.since).toBeInstanceOf(Date)
  expect(engine.alerts).toEqual([alert])
  expect(await activeOf(engine, 'disk-use')).toBe(1)
  expect(await activeOf(engine, 'queue-stalled')).toBe(0)
})

test('more failures than there may be, until they have become few', async () => {
  const alerts = { ...calm, failurePercent: 50, minimumJobs: 4 }
  const engine = await engines.open({ metrics: true, alerts })
  const raised = nextEvent(engine, 'alert')
  await engine.enqueueMany(Array.from({ length: 4 }, () => ({ type: 'FATAL' as const, payload: null })))
  const alert = await raised
  expect(alert).toMatchObject({ kind: 'failure-rate', found: 100, threshold: 50 })
  const resolved = nextEvent(engine, 'alert-resolved')
  await engine.enqueueMany(Array.from({ length: 20 }, () => ({ type: 'OK' as const, payload: null })))
  const { activeForMs, found, ...rest } = await resolved
  expect(rest).toEqual({ kind: 'failure-rate', queue: undefined, threshold: 50, since: alert.since })
  expect(found).toBeLessThan(45)
  expect(activeForMs).toBeGreaterThanOrEqual(0)
  expect(engine.alerts).toEqual([])
  expect(await activeOf(engine, 'failure-rate')).toBe(0)
})

test('a queue of which none begins, until one does', async () => {
  const { stage } = engines
  const engine = await engines.open({ threads: 1, metrics: true, alerts: { ...calm, stalledAfterMs: 50 } })
  await engine.enqueue('GATE', { gate: 'first' })
  await stage.waits('first')
  // More than may be claimed ahead: these are queued.
  const waiting = Array.from({ length: 2_000 }, () => ({
    type: 'OK' as const,
    payload: null,
    options: { queue: 'mail' },
  }))
  const raised = nextEvent(engine, 'alert')
  await engine.enqueueMany(waiting)
  const alert = await raised
  expect(alert).toMatchObject({ kind: 'queue-stalled', queue: 'mail', threshold: 50 })
  expect(alert.found).toBeGreaterThan(50)
  expect(await activeOf(engine, 'queue-stalled')).toBe(1)
  const resolved = nextEvent(engine, 'alert-resolved')
  stage.open('first')
  expect(await resolved).toMatchObject({ kind: 'queue-stalled', queue: 'mail', since: alert.since })
})

test('few jobs that are claimed behind a handler that does not end stand still too', async () => {
  const { stage } = engines
  const engine = await engines.open({ threads: 1, alerts: { ...calm, stalledAfterMs: 50 } })
  await engine.enqueue('GATE', { gate: 'hung' })
  await stage.waits('hung')
  const raised = nextEvent(engine, 'alert')
  const options = { queue: 'mail' }
  await engine.enqueueMany(Array.from({ length: 5 }, () => ({ type: 'OK', payload: null, options }) as const))
  const alert = await raised
  expect((await engine.stats()).queues.mail).toMatchObject({ QUEUED: 0, RUNNING: 5 })
  expect(alert).toMatchObject({ kind: 'queue-stalled', queue: 'mail', threshold: 50 })
  // The handler itself has been running for as long, and nothing of its queue waits.
  expect(engine.alerts.map(({ queue }) => queue)).toEqual(['mail'])
  const resolved = nextEvent(engine, 'alert-resolved')
  stage.open('hung')
  expect(await resolved).toMatchObject({ kind: 'queue-stalled', queue: 'mail', since: alert.since })
})

test('a maintenance that failed, until a run is completed, over restarts too', async () => {
  const first = await engines.open({ alerts: calm })
  symlinkSync(engines.pathOf('nowhere'), engines.pathOf('tasks.db-files'))
  const told = nextEvent(first, 'alert')
  await rejectionOf(first.maintenance.runNow(), 'ARTIFACTS_NOT_PRUNED')
  await told
  await first.stop()
  const engine = await engines.open({ metrics: true, alerts: calm })
  const raised = nextEvent(engine, 'alert')
  expect(await raised).toMatchObject({ kind: 'maintenance-failed', found: 1, threshold: 0 })
  expect(await activeOf(engine, 'maintenance-failed')).toBe(1)
  const resolved = nextEvent(engine, 'alert-resolved')
  rmSync(engines.pathOf('tasks.db-files'))
  await engine.maintenance.runNow()
  expect(await resolved).toMatchObject({ kind: 'maintenance-failed', found: 0 })
})

test('jobs that are held back on purpose make no queue that stands still', async () => {
  const { stage } = engines
  const measure = () => ({ cpuPercent: 99 })
  const engine = await engines.open({
    throttle: { measure, everyMs: 10 },
    alerts: { ...calm, stalledAfterMs: 1, failurePercent: 50, minimumJobs: 1 },
  })
  const throttled = nextEvent(engine, 'throttled')
  await engine.enqueue('GATE', { gate: 'keeper' }, { priority: 100 })
  await stage.waits('keeper')
  await throttled
  await engine.enqueue('OK', 'low', { priority: -1, queue: 'low' })
  // The next alert is that of a job that failed much later.
  const alert = nextEvent(engine, 'alert')
  await rejectionOf((await engine.enqueue('FATAL', null, { priority: 5 })).result(), 'JOB_FAILED')
  expect((await alert).kind).toBe('failure-rate')
  expect((await engine.stats()).queues.low?.QUEUED).toBe(1)
  stage.open('keeper')
})

test('alerts that are off never come', async () => {
  const engine = await engines.open({ alerts: false })
  expect(engine.alerts).toEqual([])
})

test('thresholds come from the code, and the environment wins over it', () => {
  const read = (code: object, environment: Readonly<Record<string, string>> = {}) =>
    readAlerts({ code, environment })
  const standard = {
    diskPercent: 80,
    failurePercent: 20,
    failureWindowMs: 300_000,
    minimumJobs: 20,
    stalledAfterMs: 300_000,
    everyMs: 10_000,
  }
  expect(read({})).toEqual(standard)
  expect(read({ alerts: {} }, { SEMANTICA_ALERTS_DISK_PERCENT: '' })).toEqual(standard)
  expect(read({ alerts: false })).toBeUndefined()
  const environment = {
    SEMANTICA_ALERTS_DISK_PERCENT: '90',
    SEMANTICA_ALERTS_FAILURE_PERCENT: '5',
    SEMANTICA_ALERTS_FAILURE_WINDOW_MS: '60000',
    SEMANTICA_ALERTS_MINIMUM_JOBS: '100',
    SEMANTICA_ALERTS_STALLED_AFTER_MS: '0',
    SEMANTICA_ALERTS_EVERY_MS: '1000',
  }
  expect(read({}, { SEMANTICA_ALERTS: 'off' })).toBeUndefined()
  expect(read({ alerts: { diskPercent: 70 } })).toEqual({ ...standard, diskPercent: 70 })
  expect(read({ alerts: { diskPercent: 70 } }, environment)).toEqual({
    diskPercent: 90,
    failurePercent: 5,
    failureWindowMs: 60_000,
    minimumJobs: 100,
    stalledAfterMs: 0,
    everyMs: 1_000,
  })
})

test.each([
  [{ diskPercent: 0 }, 'alerts.diskPercent is 0. Allowed: a whole number from 1 to 100'],
  [{ diskPercent: 101 }, 'alerts.diskPercent'],
  [{ failurePercent: 0 }, 'alerts.failurePercent'],
  [{ failureWindowMs: 999 }, 'alerts.failureWindowMs'],
  [{ minimumJobs: 0 }, 'alerts.minimumJobs'],
  [{ stalledAfterMs: -1 }, 'alerts.stalledAfterMs'],
  [{ everyMs: 9 }, 'alerts.everyMs'],
  [{ disk: 50 }, 'alerts.disk is not an option of alerts'],
  ['yes', 'alerts is "yes"'],
  [null, 'alerts is null'],
])('%j is refused by name', async (alerts, text) => {
  // @ts-expect-error some of them are not even of the right type
  const error = await rejectionOf(engines.open({ alerts }), 'OPTION_INVALID')
  expect(error.message).toContain(text)
})

test('an environment that is no number is refused by its name', () => {
  const environment = { SEMANTICA_ALERTS_DISK_PERCENT: 'full' }
  expect(() => readAlerts({ code: {}, environment })).toThrow('SEMANTICA_ALERTS_DISK_PERCENT')
})
