/**
 * Exports the traces of this process over OTLP: those of this thread, and those that pool threads send over.
 *
 * The packages that do it are loaded here and nowhere else, and only when they are wanted: they take longer than the whole
 * start of the engine, and need not be installed.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import { BroadcastChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import * as OpenTelemetry from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import type { SpanExporter } from '@opentelemetry/sdk-trace'
import { threadEntryUrl } from '../actor/thread.ts'
import { withinMs } from '../clock.ts'
import type { OtlpProtocol, TraceExportSettings } from '../config.ts'
import { engineError, toPlainError } from '../errors.ts'
import { type CarriedSpan, spanChannelName, toReadable } from './carried-span.ts'
import { tracerOf } from './open-telemetry.ts'
import { recordFailure } from './record-failure.ts'

const { context, trace } = OpenTelemetry

/** What spans are sent at a time, and how many may wait for it: beyond that they are dropped, never waited for. */
const spansPerExport = 1_024
const maxWaitingSpans = 32_768
/** How long a stop waits for the last spans to be delivered. */
const flushMs = 3_000

const defaultServiceName = 'semantica'

export interface TraceExport {
  /** The module that pool threads have to import, so that their spans come here. */
  readonly setup: URL
  /** Runs `work` in a span of this name. */
  run<Returned>(name: string, work: () => Promise<Returned>): Promise<Returned>
  /** Delivers what there is, if that can be done within 3 seconds. */
  stop(): Promise<void>
}

/**
 * @param onFailure told once, when spans could not be delivered
 * @throws TELEMETRY_MISSING when a package is not installed
 */
export async function startTraceExport(
  { protocol, endpoint }: TraceExportSettings,
  onFailure: (message: string) => void,
): Promise<TraceExport> {
  const [{ BatchSpanProcessor, TracerProvider }, resources, plainExporter] = await Promise.all([
    load('@opentelemetry/sdk-trace', () => import('@opentelemetry/sdk-trace')),
    load('@opentelemetry/resources', () => import('@opentelemetry/resources')),
    openExporter(protocol),
  ])
  const { defaultResource, detectResources, envDetector, resourceFromAttributes } = resources
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': defaultServiceName }))
    .merge(detectResources({ detectors: [envDetector] }))
  const tellFailure = once((error: string) =>
    onFailure(
      `traces cannot be delivered to ${endpoint}: ${error.trim().replaceAll(/\s+/g, ' ')}; the work goes on, and this is not said again`,
    ),
  )
  const exporter = telling(plainExporter, tellFailure)
  const requests = watchRequests(endpoint)
  const batches = { maxExportBatchSize: spansPerExport, maxQueueSize: maxWaitingSpans }
  const processor = new BatchSpanProcessor({ exporter, ...batches })
  const provider = new TracerProvider({ resource, spanProcessors: [processor] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  trace.setGlobalTracerProvider(provider)
  const fromThreads = receiveSpans((carried) => processor.onEnd(toReadable(carried, resource)))
  return {
    setup: threadEntryUrl('span-courier'),
    run: runInSpan,
    async stop() {
      fromThreads.close()
      const flushed = await withinMs(provider.shutdown(), flushMs).catch(() => 'failed')
      const failure = requests.stop()
      if (flushed === 'timed-out')
        tellFailure(failure ?? `it took longer than ${flushMs.toLocaleString('en')} ms`)
      trace.disable()
      context.disable()
    },
  }
}

/** @param receive gets each span that ends in a pool thread; those that have come by the close, too */
function receiveSpans(receive: (span: CarriedSpan) => void): { close(): void } {
  const channel = new BroadcastChannel(spanChannelName)
  channel.unref()
  // The boundary: only the courier posts here.
  channel.onmessage = (event) => receive((event as { readonly data: CarriedSpan }).data)
  return {
    close() {
      // The boundary: Node takes a channel here, its types do not.
      const port = channel as unknown as MessagePort
      for (let entry = receiveMessageOnPort(port); entry !== undefined; entry = receiveMessageOnPort(port))
        receive(entry.message as CarriedSpan)
      channel.close()
    },
  }
}

function runInSpan<Returned>(name: string, work: () => Promise<Returned>): Promise<Returned> {
  return tracerOf(OpenTelemetry).startActiveSpan(name, async (span) => {
    try {
      return await work()
    } catch (error) {
      recordFailure(span, toPlainError(error))
      throw error
    } finally {
      span.end()
    }
  })
}

/** What it needs besides (where to, headers, certificates) each exporter reads from the environment itself. */
async function openExporter(protocol: OtlpProtocol): Promise<SpanExporter> {
  if (protocol === 'grpc') {
    const name = '@opentelemetry/exporter-trace-otlp-grpc'
    const { OTLPTraceExporter } = await load(name, () => import('@opentelemetry/exporter-trace-otlp-grpc'))
    return new OTLPTraceExporter()
  }
  const name = '@opentelemetry/exporter-trace-otlp-proto'
  const { OTLPTraceExporter } = await load(name, () => import('@opentelemetry/exporter-trace-otlp-proto'))
  return new OTLPTraceExporter()
}

/** Tells of exports that failed for good. A collector that is down would be told of with each. */
function telling(exporter: SpanExporter, tell: (error: string) => void): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error !== undefined) tell(textOf(result.error))
        done(result)
      }),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  }
}

/** Of several addresses that were tried in vain the code alone says what happened. */
function textOf(error: unknown): string {
  const { message, code, name } = toPlainError(error)
  return message === '' ? (code ?? name) : message
}

/** The channel on which Node tells of requests over HTTP and HTTPS that failed. */
const failedRequests = 'http.client.request.error'

/**
 * Over HTTP the exporter tries what may pass again and again, and says nothing before it gives up, which may be later than
 * anybody waits for.
 */
function watchRequests(endpoint: string): { stop(): string | undefined } {
  const { host } = new URL(endpoint)
  let failure: string | undefined
  const onFailure = (event: unknown) => {
    // The boundary: only Node publishes here.
    const { request, error } = event as { readonly request: ClientRequest; readonly error: unknown }
    if (request.getHeader('host') === host) failure = textOf(error)
  }
  subscribe(failedRequests, onFailure)
  return {
    stop() {
      unsubscribe(failedRequests, onFailure)
      return failure
    },
  }
}

function once<Argument>(call: (argument: Argument) => void): (argument: Argument) => void {
  let isCalled = false
  return (argument) => {
    if (!isCalled) call(argument)
    isCalled = true
  }
}

async function load<Module>(name: string, importModule: () => Promise<Module>): Promise<Module> {
  try {
    return await importModule()
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
    if (!isMissing) throw error
    throw engineError('TELEMETRY_MISSING', {
      found: `Traces are wanted, but ${name} is not installed`,
      action: `Run \`npm install ${optionalPackages}\`, or unset OTEL_EXPORTER_OTLP_ENDPOINT.`,
      cause: error,
    })
  }
}

const optionalPackages =
  '@opentelemetry/sdk-trace @opentelemetry/resources @opentelemetry/exporter-trace-otlp-grpc @opentelemetry/exporter-trace-otlp-proto'
