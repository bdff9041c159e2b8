/** What OTLP says on the wire, as far as the tests read it. The numbers are those of opentelemetry-proto. */
import protobuf from 'protobufjs'

const { root } = protobuf.parse(`
syntax = "proto3";
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; }
message InstrumentationScope { string name = 1; string version = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4;
  string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9; repeated Event events = 11; Status status = 15;
}
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
message Status { string message = 2; int32 code = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`)

export interface ReceivedSpan {
  readonly service: string
  readonly scope: string
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  /** Empty: a root. */
  readonly parentSpanId: string
  readonly nanoseconds: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly statusCode: number
}

/** @throws when the bytes are not such a request */
export function decodeExport(bytes: Uint8Array): ReceivedSpan[] {
  const type = root.lookupType('ExportTraceServiceRequest')
  const request = type.toObject(type.decode(bytes), { longs: Number, bytes: Array, defaults: true })
  // The boundary: the schema above says what is in there.
  const { resourceSpans } = request as ExportRequest
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        service: String(attributesOf(resource.attributes)['service.name']),
        scope: scope.name,
        name: span.name,
        kind: span.kind,
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        nanoseconds: span.endTimeUnixNano - span.startTimeUnixNano,
        attributes: attributesOf(span.attributes),
        statusCode: span.status?.code ?? 0,
      })),
    ),
  )
}

interface KeyValue {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] }
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string }
      readonly spans: readonly {
        readonly name: string
        readonly kind: number
        readonly traceId: readonly number[]
        readonly spanId: readonly number[]
        readonly parentSpanId: readonly number[]
        readonly startTimeUnixNano: number
        readonly endTimeUnixNano: number
        readonly attributes: readonly KeyValue[]
        readonly status?: { readonly code: number } | null
      }[]
    }[]
  }[]
}

function attributesOf(pairs: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]))
}

function hex(bytes: readonly number[]): string {
  return Buffer.from(bytes).toString('hex')
}
