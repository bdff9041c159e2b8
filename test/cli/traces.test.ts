/**
 * Goal: with OpenTelemetry's variables set, the command delivers every span of a run, also those of pool threads, before
 * it ends; and a collector that is not there costs a line. Method: the command as a process of its own, against collectors
 * that decode what arrives.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { TemporaryTree } from '../indexer/direct-indexer.ts'
import { type Collector, collectGrpc, collectHttp } from '../telemetry/collectors.ts'

const command = fileURLToPath(new URL('../../src/cli/semantica.ts', import.meta.url))

async function run(environment: Readonly<Record<string, string>>, nodeFlags: readonly string[] = []) {
  using tree = new TemporaryTree().write({ 'a.ts': 'function a() {}', 'b.ts': 'function b() {}' })
  const child = spawn(process.execPath, [...nodeFlags, command, 'index', tree.path, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    output.stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output.stderr += chunk.toString()
  })
  const [status] = await once(child, 'close')
  return { status, ...output }
}

/** A run is a span, each job that it enqueues is one within that, and each attempt is one within its enqueue. */
function expectWholeTrace({ spans }: Collector): void {
  const root = spans.find(({ name }) => name === 'semantica index')
  expect(root).toMatchObject({ parentSpanId: '', service: 'bench-42', statusCode: 0 })
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([root?.traceId]))
  const enqueued = spans.filter(({ name }) => name.startsWith('enqueue'))
  expect(new Set(enqueued.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([root?.spanId]))
  const attempts = spans.filter(({ name }) => name === 'process INDEX_FILE')
  expect(attempts).toHaveLength(2)
  for (const attempt of attempts) {
    expect(enqueued.map(({ spanId }) => spanId)).toContain(attempt.parentSpanId)
    expect(attempt).toMatchObject({
      kind: 5,
      service: 'bench-42',
      scope: 'semantica-task-engine',
      attributes: { 'semantica.job.outcome': 'succeeded', 'semantica.job.attempt': 1 },
    })
    expect(attempt.nanoseconds).toBeGreaterThan(0)
  }
}

test('over HTTP, every span of a run has arrived when the command ends', async () => {
  await using collector = await collectHttp()
  const { status, stderr } = await run({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_SERVICE_NAME: 'bench-42',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(collector.headers[0]).toEqual({ path: '/v1/traces', type: 'application/x-protobuf' })
  expectWholeTrace(collector)
})

test('over gRPC likewise', async () => {
  await using collector = await collectGrpc()
  const { status, stderr } = await run({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_SERVICE_NAME: 'bench-42',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expectWholeTrace(collector)
})

test('a collector that is not there costs one line, and no job', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  const port = typeof address === 'object' ? address?.port : 0
  const { status, stdout, stderr } = await run({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` })
  expect(status).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ indexed: 2, failed: 0 })
  expect(stderr.trim().split('\n')).toEqual([
    expect.stringMatching(/^semantica: traces cannot be delivered to http:.*ECONNREFUSED.*said again$/),
  ])
})

test('what TLS says of a collector without it is in one line too', async () => {
  await using collector = await collectHttp()
  const { status, stderr } = await run({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint.replace('http:', 'https:'),
  })
  expect(status).toBe(0)
  expect(stderr).toMatch(
    /^semantica: traces cannot be delivered to https:.*; the work goes on.*said again\n$/,
  )
})

test('a protocol that is not known is refused before anything is done', async () => {
  const { status, stdout, stderr } = await run({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  })
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toMatch(/OTEL_EXPORTER_OTLP_PROTOCOL.*http\/json.*grpc, http\/protobuf.*OPTION_INVALID/)
})

test('where the packages are not installed a line says what to do, and the work is done', async () => {
  const hide = new URL('../fixtures/telemetry/hide-exporters.ts', import.meta.url).href
  const { status, stdout, stderr } = await run({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }, [
    '--import',
    hide,
  ])
  expect(status).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ indexed: 2, failed: 0 })
  expect(stderr).toMatch(
    /^semantica: .*@opentelemetry\/\S+ is not installed.*npm install.*TELEMETRY_MISSING\)\n$/,
  )
})
