/** The span that a job belongs to, as one text: `00-<trace id>-<span id>-<flags>`, as W3C Trace Context has it. */

/** What names a span. */
export interface SpanName {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
  /** Bit 0: the trace is sampled. */
  readonly traceFlags: number
}

const pattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const traceIdStart = 3
const traceIdEnd = 35

export function encodeTraceparent({ traceId, spanId, traceFlags }: SpanName): string {
  return `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`
}

/** Undefined: the text is not one, or names no span. */
export function decodeTraceparent(text: string): SpanName | undefined {
  const [, traceId = '', spanId = '', flags = ''] = pattern.exec(text) ?? []
  if (!/[1-9a-f]/.test(traceId) || !/[1-9a-f]/.test(spanId)) return undefined
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) }
}

export function traceIdOf(traceparent: string | null | undefined): string | undefined {
  return traceparent?.slice(traceIdStart, traceIdEnd)
}
