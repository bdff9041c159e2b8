import { expect, test } from 'vitest'
import { readTraceExport } from '../../src/config.ts'

const endpoint = 'OTEL_EXPORTER_OTLP_ENDPOINT'
const protocol = 'OTEL_EXPORTER_OTLP_PROTOCOL'

test.each([
  [{}, undefined],
  [{ [endpoint]: '' }, undefined],
  [{ [endpoint]: 'http://localhost:4318', OTEL_SDK_DISABLED: 'true' }, undefined],
  [{ [endpoint]: 'http://localhost:4318', OTEL_TRACES_EXPORTER: 'none' }, undefined],
  [{ [endpoint]: 'http://localhost:4317' }, 'grpc'],
  [{ [endpoint]: 'https://collector:4317/' }, 'grpc'],
  [{ [endpoint]: 'http://localhost:4318' }, 'http/protobuf'],
  [{ [endpoint]: 'https://collector/otlp' }, 'http/protobuf'],
  [{ [endpoint]: 'http://localhost:4317', [protocol]: 'http/protobuf' }, 'http/protobuf'],
  [{ [endpoint]: 'http://localhost:4318', [protocol]: 'grpc' }, 'grpc'],
  [{ [endpoint]: 'http://localhost:4318', [protocol]: ' ' }, 'http/protobuf'],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://a:4317', [endpoint]: 'http://b:4318' }, 'grpc'],
  [
    { [endpoint]: 'http://a', [protocol]: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf' },
    'http/protobuf',
  ],
] as const)('%j means %s', (environment, expected) => {
  expect(readTraceExport(environment)?.protocol).toBe(expected)
})

test.each([
  [{ [endpoint]: 'localhost:4317' }, /OTEL_EXPORTER_OTLP_ENDPOINT.*localhost:4317.*http:\/\/ or https:\/\//],
  [{ [endpoint]: 'not a URL' }, /OTEL_EXPORTER_OTLP_ENDPOINT/],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'ftp://a' }, /OTEL_EXPORTER_OTLP_TRACES_ENDPOINT/],
  [
    { [endpoint]: 'http://a', [protocol]: 'http/json' },
    /OTEL_EXPORTER_OTLP_PROTOCOL.*http\/json.*grpc, http\/protobuf/,
  ],
] as const)('%j is refused', (environment, message) => {
  expect(() => readTraceExport(environment)).toThrow(message)
})
