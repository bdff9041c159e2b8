/** Serves the metrics on `/metrics`, for Prometheus and for people. Does not keep the process alive. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { engineError } from '../errors.ts'
import { prometheusContentType } from './prometheus.ts'

export class MetricsServer {
  readonly #server: Server
  readonly #host: string
  /** Undefined: the engine is not there yet, or no more. */
  #read: (() => Promise<string>) | undefined

  private constructor(server: Server, host: string) {
    this.#server = server
    this.#host = host
    server.on('request', (request, response) => void this.#answer(request, response))
    server.unref()
  }

  /** @throws PORT_UNAVAILABLE */
  static async open(host: string, port: number): Promise<MetricsServer> {
    const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 })
    const opened = Promise.withResolvers<void>()
    server.once('error', (error) => opened.reject(unavailable(host, port, error)))
    server.listen({ host, port, exclusive: true }, () => opened.resolve())
    await opened.promise
    server.removeAllListeners('error')
    // What comes later, such as too many open files, refuses a connection and no more.
    server.on('error', () => {})
    return new MetricsServer(server, host)
  }

  serve(read: () => Promise<string>): void {
    this.#read = read
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  get url(): string {
    const host = this.#host.includes(':') ? `[${this.#host}]` : this.#host
    return `http://${host}:${this.port}/metrics`
  }

  close(): Promise<void> {
    this.#read = undefined
    const closed = Promise.withResolvers<void>()
    this.#server.close(() => closed.resolve())
    this.#server.closeAllConnections()
    return closed.promise
  }

  async #answer({ method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = url?.split('?', 1)[0]
    if (path !== '/metrics') return send(response, 404, 'Not found. Metrics are at /metrics.\n')
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD')
      return send(response, 405, 'Only GET and HEAD are allowed.\n')
    }
    try {
      if (this.#read === undefined) return send(response, 503, 'The engine is not running.\n')
      const text = await this.#read()
      response.setHeader('Content-Type', prometheusContentType)
      send(response, 200, text)
    } catch (error) {
      send(response, 503, `${error instanceof Error ? error.message : String(error)}\n`)
    }
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.statusCode = status
  // To HEAD Node sends no body.
  response.end(text)
}

function unavailable(host: string, port: number, cause: NodeJS.ErrnoException): Error {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program listens on it',
    EACCES: 'this user may not open it',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'there is no such host',
  }
  return engineError('PORT_UNAVAILABLE', {
    found: `Port ${port} of ${host} cannot be opened: ${why[cause.code ?? ''] ?? cause.message}`,
    action: 'Choose another with metrics.port, or 0 for any that is free.',
    cause,
    details: { host, port },
  })
}
