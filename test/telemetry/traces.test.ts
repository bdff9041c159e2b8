/**
 * Goal: what happens to a job is one trace, from the span that was active at its enqueue to the spans that its handlers
 * begin, whatever lies between. Method: a real SDK on the host and in the pool threads, and handlers that know nothing but
 * OpenTelemetry's API.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { TracerProvider } from '@opentelemetry/sdk-trace'
import { describe, expect, test } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import { useEngines } from '../engine/open-engine.ts'
import traced from '../fixtures/jobs/traced.ts'
import { throwing } from '../fixtures/telemetry/throwing-spans.ts'
import { recordTraces } from './record-traces.ts'

const engines = useEngines()
const recording = recordTraces()
const tracer = trace.getTracer('host')

async function openTraced(
  options: { readonly setup?: URL; readonly recycleAfterJobs?: number; readonly subprocess?: true } = {
    setup: recording.setup,
  },
) {
  const engine = await Engine.start({
    jobs: traced,
    database: engines.pathOf('tasks.db'),
    threads: 1,
    logLevel: 'silent',
    throttle: false,
    ...options,
  })
  return engines.keep(engine)
}

test('an attempt is a child of the enqueue, which is a child of the active span; what the handler begins joins it', async () => {
  const engine = await openTraced()
  const job = await tracer.startActiveSpan('request', async (span) => {
    const added = await engine.enqueue('CHILD_SPANS')
    span.end()
    return added
  })
  const request = await recording.span('request')
  expect(await job.result()).toBe(request.traceId)
  const enqueue = await recording.span('enqueue CHILD_SPANS')
  const attempt = await recording.span('process CHILD_SPANS')
  const outer = await recording.span('outer')
  const inner = await recording.span('inner')
  expect(enqueue).toMatchObject({
    kind: SpanKind.PRODUCER,
    parentSpanId: request.spanId,
    attributes: {
      'messaging.system': 'semantica',
      'messaging.destination.name': 'default',
      'messaging.message.id': job.id,
      'semantica.job.type': 'CHILD_SPANS',
    },
  })
  expect(attempt).toMatchObject({
    kind: SpanKind.CONSUMER,
    traceId: request.traceId,
    parentSpanId: enqueue.spanId,
    status: { code: SpanStatusCode.UNSET },
    attributes: {
      'messaging.message.id': job.id,
      'messaging.destination.name': 'default',
      'semantica.job.type': 'CHILD_SPANS',
      'semantica.job.attempt': 1,
      'semantica.job.outcome': 'succeeded',
    },
  })
  expect(outer).toMatchObject({ traceId: request.traceId, parentSpanId: attempt.spanId })
  expect(inner).toMatchObject({ traceId: request.traceId, parentSpanId: outer.spanId })
  expect(attempt.durationMs).toBeGreaterThan(outer.durationMs)
  expect(await engine.get(job.id)).toMatchObject({ traceId: request.traceId })
  expect((await engine.list()).jobs).toMatchObject([{ id: job.id, traceId: request.traceId }])
})

test('each attempt is a span of its own in the same trace, and one that fails says why', async () => {
  const engine = await openTraced()
  const job = await engine.enqueue('FAILS_ONCE')
  await job.result()
  const enqueue = await recording.span('enqueue FAILS_ONCE')
  // It comes by another way than the result, and may be later.
  await recording.span('process FAILS_ONCE', ({ attributes }) => attributes['semantica.job.attempt'] === 2)
  const attempts = recording.spans.filter(({ name }) => name === 'process FAILS_ONCE')
  expect(attempts).toMatchObject([
    {
      parentSpanId: enqueue.spanId,
      status: { code: SpanStatusCode.ERROR, message: 'the first attempt fails' },
      events: ['exception TypeError'],
      attributes: {
        'semantica.job.attempt': 1,
        'semantica.job.outcome': 'failed',
        'error.type': 'TypeError',
      },
    },
    {
      parentSpanId: enqueue.spanId,
      status: { code: SpanStatusCode.UNSET },
      attributes: { 'semantica.job.attempt': 2, 'semantica.job.outcome': 'succeeded' },
    },
  ])
})

test('the span of a program that fails has none of the values of its environment', async () => {
  const engine = await openTraced({ setup: recording.setup, subprocess: true })
  const job = await engine.enqueue(
    'SUBPROCESS',
    {
      command: '/bin/sh',
      args: ['-c', 'echo "$KEY password=open-sesame broke" >&2; exit 3'],
      env: { KEY: 'only-for-me' },
    },
    { retry: { maxAttempts: 1 } },
  )
  await expect(job.result()).rejects.toMatchObject({ code: 'JOB_FAILED' })
  const { status, told } = await recording.span('process SUBPROCESS')
  expect(status.message).toContain('its last words: [REDACTED] password=[REDACTED] broke')
  expect(told).toHaveLength(2)
  expect(JSON.stringify([status, told])).not.toMatch(/only-for-me|open-sesame/)
})

test('a job that ran when its engine stopped goes on in the same trace at the next start', async () => {
  const first = await openTraced()
  const job = await first.enqueue('GIVES_WAY')
  await engines.stage.began(job.id)
  await first.stop()
  const stopped = await recording.span('process GIVES_WAY')
  expect(stopped.attributes).toMatchObject({ 'semantica.job.outcome': 'stopping' })
  expect(stopped.status.code).toBe(SpanStatusCode.UNSET)
  // As another process would: what this one traces has nothing to do with it.
  trace.disable()
  context.disable()
  const second = await openTraced()
  await engines.stage.began(job.id, 2)
  const settled = new Promise((resolve) => second.events.on('job-settled', resolve))
  await second.cancel(job.id)
  await expect(settled).resolves.toMatchObject({
    jobId: job.id,
    traceId: stopped.traceId,
  })
  const resumed = await recording.span('process GIVES_WAY', ({ spanId }) => spanId !== stopped.spanId)
  expect(resumed).toMatchObject({
    traceId: stopped.traceId,
    parentSpanId: stopped.parentSpanId,
    attributes: { 'semantica.job.attempt': 2, 'semantica.job.outcome': 'cancelled' },
  })
})

test('a job that was running when its process was killed goes on in the same trace', async () => {
  const active = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
  const host = fileURLToPath(new URL('../fixtures/telemetry/killed-host.ts', import.meta.url))
  const child = spawn(process.execPath, [host, engines.pathOf('tasks.db'), active.traceId, active.spanId])
  expect(await once(child, 'close')).toEqual([null, 'SIGKILL'])
  const engine = await openTraced()
  await engine.idle()
  const { jobs } = await engine.list()
  expect(jobs).toMatchObject([{ state: 'DONE', attempt: 2, traceId: active.traceId, result: active.traceId }])
  expect(await recording.span('process KILLS')).toMatchObject({
    traceId: active.traceId,
    parentSpanId: active.spanId,
    attributes: { 'semantica.job.attempt': 2 },
  })
})

test('events about a job name its trace', async () => {
  const engine = await openTraced()
  const told: Record<string, unknown>[] = []
  for (const name of ['job-retried', 'job-settled'] as const)
    engine.events.on(name, (event) => told.push({ name, jobId: event.jobId, traceId: event.traceId }))
  const retried = await engine.enqueue('FAILS_ONCE')
  await retried.result()
  const running = await engine.enqueue('GIVES_WAY')
  await engines.stage.began(running.id)
  // They wait behind it: one is superseded, one cancelled by its tag, one by its id.
  const older = await engine.enqueue('TRACE_ID', null, { subjectKey: 's' })
  const newer = await engine.enqueue('TRACE_ID', null, { subjectKey: 's' })
  const tagged = await engine.enqueue('TRACE_ID', null, { userTag: 'tag' })
  await engine.cancel({ userTag: 'tag' })
  await engine.cancel([newer.id, running.id])
  await engine.idle()
  // The last event of all: what is told before has come before.
  const lastTold = new Promise<void>((resolve) =>
    engine.events.on('job-settled', ({ jobType, state }) => {
      if (jobType === 'CHILD_SPANS' && state === 'DONE') resolve()
    }),
  )
  const last = await engine.enqueue('CHILD_SPANS')
  const expected = await Promise.all(
    [retried, older, tagged, newer, running, last].map(async ({ id }) => {
      const enqueue = await recording.span(
        `enqueue ${(await engine.get(id))?.jobType}`,
        ({ attributes }) => attributes['messaging.message.id'] === id,
      )
      return [id, enqueue.traceId] as const
    }),
  )
  await lastTold
  expect(told).toContainEqual({ name: 'job-retried', jobId: retried.id, traceId: expected[0]?.[1] })
  for (const [jobId, traceId] of expected)
    expect(told).toContainEqual({ name: 'job-settled', jobId, traceId })
})

test.each([
  ['PARENT', 'decide'],
  ['PLAIN_PARENT', 'process PLAIN_PARENT'],
] as const)('what %s enqueues belongs to the span in which it did: %s', async (jobType, spanOfEnqueue) => {
  const engine = await openTraced()
  const parent = await engine.enqueue(jobType)
  await parent.result()
  await engine.idle()
  const { traceId, spanId } = await recording.span(spanOfEnqueue)
  const child = await recording.span('process TRACE_ID')
  expect(child).toMatchObject({ traceId, parentSpanId: spanId })
  const { jobs } = await engine.list({ parentJobId: parent.id })
  expect(jobs).toMatchObject([{ result: traceId, traceId }])
})

test('jobs that are enqueued together share one span; what differs among them is left out of its name', async () => {
  const engine = await openTraced()
  const same = await engine.enqueueMany([
    { type: 'TRACE_ID' },
    { type: 'TRACE_ID', options: { queue: 'other' } },
  ])
  const mixed = await engine.enqueueMany([{ type: 'TRACE_ID' }, { type: 'CHILD_SPANS' }])
  const results = await Promise.all([...same, ...mixed].map((job) => job.result()))
  const ofSame = await recording.span('enqueue TRACE_ID')
  const ofMixed = await recording.span('enqueue')
  expect(results).toEqual([ofSame.traceId, ofSame.traceId, ofMixed.traceId, ofMixed.traceId])
  expect(ofSame.attributes['messaging.batch.message_count']).toBe(2)
  expect(ofSame.attributes).not.toHaveProperty('messaging.destination.name')
})

test('an enqueue that is refused ends its span with the error', async () => {
  const engine = await openTraced()
  await engine.stop()
  await expect(engine.enqueue('TRACE_ID')).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
  expect(await recording.span('enqueue TRACE_ID')).toMatchObject({
    status: { code: SpanStatusCode.ERROR },
    attributes: { 'error.type': 'ENGINE_STOPPED' },
  })
})

test('a retried job stays in its trace, or joins the one in which it is retried', async () => {
  const engine = await openTraced()
  const first = await engine.enqueue('TRACE_ID')
  const traceId = await first.result()
  trace.disable()
  const again = await engine.retry(first.id)
  expect(await again.result()).toBe(traceId)
  const active = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 }
  const other = await context.with(trace.setSpanContext(ROOT_CONTEXT, active), () => engine.retry(first.id))
  expect(await other.result()).toBe(active.traceId)
})

test('the span of an attempt whose thread is ended by force is recorded by the host', async () => {
  const engine = await openTraced()
  const job = await engine.enqueue('STUCK')
  await engines.stage.began(job.id)
  await engine.cancel(job.id)
  const lost = await recording.span('process STUCK')
  const enqueue = await recording.span('enqueue STUCK')
  expect(lost).toMatchObject({
    kind: SpanKind.CONSUMER,
    parentSpanId: enqueue.spanId,
    attributes: { 'messaging.message.id': job.id, 'semantica.job.outcome': 'cancelled' },
  })
  expect(lost.durationMs).toBeGreaterThanOrEqual(50)
  // What had ended before is not lost.
  expect(await recording.span('before')).toMatchObject({ traceId: enqueue.traceId })
})

test('a stop that ends a thread by force records the span of what ran in it', async () => {
  const engine = await openTraced()
  const job = await engine.enqueue('STUCK')
  await engines.stage.began(job.id)
  await engine.stop({ graceMs: 0 })
  expect(await recording.span('process STUCK')).toMatchObject({
    attributes: { 'messaging.message.id': job.id, 'semantica.job.outcome': 'stopping' },
  })
})

describe('an SDK that gathers spans in a pool thread', () => {
  const setup = new URL('../fixtures/telemetry/batch-spans.ts', import.meta.url)

  test('exports them although the thread sleeps', async () => {
    const engine = await openTraced({ setup })
    const job = await engine.enqueue('TRACE_ID')
    const traceId = await job.result()
    expect(await recording.span('process TRACE_ID')).toMatchObject({ traceId })
  })

  test('exports them before the engine has stopped', async () => {
    const engine = await openTraced({ setup })
    await (await engine.enqueue('TRACE_ID')).result()
    await engine.stop()
    await recording.span('process TRACE_ID')
  })

  test('exports them before its thread is replaced for having done enough', async () => {
    const engine = await openTraced({ setup, recycleAfterJobs: 1 })
    const job = await engine.enqueue('TRACE_ID')
    const traceId = await job.result()
    expect(await recording.span('process TRACE_ID')).toMatchObject({ traceId })
  })
})

test('without an SDK in the pool threads a handler sees the trace all the same', async () => {
  const engine = await openTraced({})
  const job = await engine.enqueue('CHILD_SPANS')
  const traceId = await job.result()
  expect(traceId).toBe((await recording.span('enqueue CHILD_SPANS')).traceId)
})

describe('an SDK that throws', () => {
  const setup = new URL('../fixtures/telemetry/throwing-spans.ts', import.meta.url)

  test('in a pool thread costs no attempt, and is told once', async () => {
    const engine = await openTraced({ setup })
    const told: unknown[] = []
    engine.events.on('job-log-failed', ({ jobId, traceId, error }) =>
      told.push({ jobId, traceId, code: error.code, message: error.message, cause: error.cause?.message }),
    )
    const jobs = [
      await engine.enqueue('TRACE_ID'),
      await engine.enqueue('PLAIN_PARENT'),
      await engine.enqueue('TRACE_ID'),
    ]
    for (const job of jobs) {
      await job.result()
      expect(await engine.get(job.id)).toMatchObject({ state: 'DONE', attempt: 1, failedAttempts: [] })
    }
    expect(told).toEqual([
      {
        jobId: jobs[0]?.id,
        traceId: (await recording.span('enqueue TRACE_ID')).traceId,
        code: 'TRACE_FAILED',
        message: expect.stringMatching(
          /^The trace of \S+ cannot be recorded: the exporter is broken\. The job goes on/,
        ),
        cause: 'the exporter is broken',
      },
    ])
  })

  test('hides nothing of what else cannot be written', async () => {
    writeFileSync(engines.pathOf('tasks.db-files'), 'in the way')
    const engine = await openTraced({ setup })
    const told: unknown[] = []
    engine.events.on('job-log-failed', ({ jobId, error }) => told.push([jobId, error.code]))
    const job = await engine.enqueue('LOGS')
    await job.result()
    expect(told).toEqual([
      [job.id, 'TRACE_FAILED'],
      [job.id, 'JOB_LOG_FAILED'],
    ])
  })

  test.each(['start', 'end'] as const)('at the %s of a span on the host refuses no job', async (when) => {
    const engine = await openTraced({})
    trace.disable()
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [throwing(when)] }))
    const job = await engine.enqueue('FAILS_ONCE')
    await job.result()
    const [second] = await engine.enqueueMany([{ type: 'FAILS_ONCE' }])
    await second?.result()
    await engine.stop()
    await expect(engine.enqueue('TRACE_ID')).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
  })
})
