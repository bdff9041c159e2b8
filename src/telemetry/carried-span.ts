import type { SpanContext } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'

/** What pool threads send over. Reaches all threads of this process, and no other. */
export const spanChannelName = 'semantica-task-engine:spans'

/** A span that has ended, as it crosses threads. */
export interface CarriedSpan extends Omit<ReadableSpan, 'spanContext' | 'resource'> {
  readonly context: SpanContext
}

/** The same for an exporter. It belongs to the whole process, like what the host traces. */
export function toReadable(
  { context, ...span }: CarriedSpan,
  resource: ReadableSpan['resource'],
): ReadableSpan {
  return { ...span, resource, spanContext: () => context }
}
