import { trace } from '@opentelemetry/api'
import { type ReadableSpan, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { type CarriedSpan, spanChannelName } from './carried-span.ts'
import { unlessSpanFails } from './span-guard.ts'

/**
 * Records what is traced in this thread, and hands it to the thread of the host, which exports it. A pool thread that has
 * nothing to do neither runs timers nor sends anything, so it cannot export by itself. Each span goes as soon as it has
 * ended: a thread that is ended by force takes none with it.
 */
export function carrySpans(): void {
  const channel = new BroadcastChannel(spanChannelName)
  channel.unref()
  const courier: SpanProcessor = {
    onStart() {},
    // A span of a handler's own as well: what it says need not cross threads.
    onEnd: (span) => unlessSpanFails(() => channel.postMessage(toCarried(span))),
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  }
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [courier] }))
}

function toCarried(span: ReadableSpan): CarriedSpan {
  const { name, kind, parentSpanContext, startTime, endTime, status, attributes, links, events, duration } =
    span
  const { instrumentationScope, droppedAttributesCount, droppedEventsCount, droppedLinksCount } = span
  return {
    name,
    kind,
    context: plain(span.spanContext()),
    ...(parentSpanContext === undefined ? {} : { parentSpanContext: plain(parentSpanContext) }),
    startTime,
    endTime,
    status,
    attributes,
    links: links.map((link) => ({ ...link, context: plain(link.context) })),
    events,
    duration,
    ended: true,
    instrumentationScope,
    droppedAttributesCount,
    droppedEventsCount,
    droppedLinksCount,
  }
}

/** A trace state is an object of a class, which does not cross threads. */
function plain({ traceId, spanId, traceFlags, isRemote = false }: ReturnType<ReadableSpan['spanContext']>) {
  return { traceId, spanId, traceFlags, isRemote }
}
