/**
 * The way to OpenTelemetry's API, which is loaded only where it can be of use: it takes longer than the start of a thread.
 *
 * Whoever wants traces (an SDK, or nothing but a context manager) registers with the API, and the API keeps what was
 * registered under a global symbol, so that several copies of it find each other. While there is no such symbol no span
 * can be active and none would be recorded: looking for it is all that a job costs.
 */
import { createRequire } from 'node:module'
import type * as OpenTelemetry from '@opentelemetry/api'
import type * as ContextAsyncHooks from '@opentelemetry/context-async-hooks'
import { encodeTraceparent } from '../job/traceparent.ts'

export type OpenTelemetryApi = typeof OpenTelemetry

/** The name that all versions 1.x of the API agree on. */
const registrations = Symbol.for('opentelemetry.js.api.1')
/** Under this name the engine's spans are found. */
const tracerName = 'semantica-task-engine'

const require = createRequire(import.meta.url)
let api: OpenTelemetryApi | undefined
let hasContextManager = false

/** The API, if anybody in this thread has registered with it. */
export function registeredApi(): OpenTelemetryApi | undefined {
  return registrations in globalThis ? loadApi() : undefined
}

/** The API, whether or not anybody uses it. */
export function loadApi(): OpenTelemetryApi {
  // The boundary: `require` has no types. Not `import`, since a job that begins does not wait.
  api ??= require('@opentelemetry/api') as OpenTelemetryApi
  return api
}

/** Loads the API ahead of the first job, if anybody has registered with it: they have loaded it already. */
export async function preloadApi(): Promise<void> {
  if (registrations in globalThis) api ??= await import('@opentelemetry/api')
}

export function tracerOf({ trace }: OpenTelemetryApi): OpenTelemetry.Tracer {
  // Each time: what is registered may change.
  return trace.getTracer(tracerName)
}

/** The traceparent of the active span; undefined: there is none. */
export function activeTraceparent(): string | undefined {
  const registered = registeredApi()
  if (registered === undefined) return undefined
  return traceparentOf(registered, registered.trace.getSpanContext(registered.context.active()))
}

export function traceparentOf(
  { isSpanContextValid }: OpenTelemetryApi,
  span: OpenTelemetry.SpanContext | undefined,
): string | undefined {
  return span === undefined || !isSpanContextValid(span) ? undefined : encodeTraceparent(span)
}

/** Sees to it that a span stays active across awaits: where nobody has registered a context manager, this does. */
export function ensureContextManager({ context, createContextKey, ROOT_CONTEXT }: OpenTelemetryApi): void {
  if (hasContextManager) return
  hasContextManager = true
  const key = createContextKey('semantica.probe')
  const isKept = context.with(ROOT_CONTEXT.setValue(key, true), () => context.active().getValue(key) === true)
  if (isKept) return
  // The boundary: `require` has no types.
  const { AsyncLocalStorageContextManager } =
    require('@opentelemetry/context-async-hooks') as typeof ContextAsyncHooks
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
}
