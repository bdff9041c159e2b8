/** Collectors that decode what arrives, one for each protocol. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { Server, ServerCredentials, type ServiceDefinition, type sendUnaryData } from '@grpc/grpc-js'
import { decodeExport, type ReceivedSpan } from './otlp-messages.ts'

export interface Collector extends AsyncDisposable {
  readonly endpoint: string
  /** All that has arrived. */
  readonly spans: readonly ReceivedSpan[]
  /** What each export said of itself. */
  readonly headers: readonly Readonly<Record<string, unknown>>[]
}

export async function collectHttp(answer = 200): Promise<Collector> {
  const spans: ReceivedSpan[] = []
  const headers: Record<string, unknown>[] = []
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    headers.push({ path: request.url, type: request.headers['content-type'] })
    spans.push(...decodeExport(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body))
    response.writeHead(answer, { 'content-type': 'application/x-protobuf' }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // The boundary: a server that listens on a port has one.
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans,
    headers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const traceService: ServiceDefinition = {
  export: {
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    requestStream: false,
    responseStream: false,
    requestSerialize: () => Buffer.alloc(0),
    requestDeserialize: (bytes: Buffer) => decodeExport(bytes),
    responseSerialize: () => Buffer.alloc(0),
    responseDeserialize: () => ({}),
  },
}

/** @param port 0: any */
export async function collectGrpc(port = 0): Promise<Collector> {
  const spans: ReceivedSpan[] = []
  const headers: Record<string, unknown>[] = []
  const server = new Server()
  server.addService(traceService, {
    export(
      call: { readonly request: ReceivedSpan[]; readonly metadata: { getMap(): Record<string, unknown> } },
      reply: sendUnaryData<object>,
    ) {
      headers.push(call.metadata.getMap())
      spans.push(...call.request)
      reply(null, {})
    },
  })
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, boundPort) =>
      error === null ? resolve(boundPort) : reject(error),
    )
  })
  return {
    endpoint: `http://127.0.0.1:${bound}`,
    spans,
    headers,
    async [Symbol.asyncDispose]() {
      server.forceShutdown()
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}
