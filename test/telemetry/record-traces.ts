import { BroadcastChannel } from 'node:worker_threads'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { TracerProvider } from '@opentelemetry/sdk-trace'
import { afterEach, beforeEach } from 'vitest'
import { handOn, type RecordedSpan, spanChannelName } from '../fixtures/telemetry/span-channel.ts'

interface Recording {
  /** The module that records what ends in pool threads. */
  readonly setup: URL
  readonly spans: readonly RecordedSpan[]
  /** Resolves to the first span of this name that is accepted, once it has ended. */
  span(name: string, accepts?: (span: RecordedSpan) => boolean): Promise<RecordedSpan>
}

/** Call once in a test file: while a test runs this thread has an SDK, and its spans and those of pool threads are kept. */
export function recordTraces(): Recording {
  const spans: RecordedSpan[] = []
  let checks: (() => void)[] = []
  let channel: BroadcastChannel | undefined
  const add = (span: RecordedSpan) => {
    spans.push(span)
    for (const check of [...checks]) check()
  }
  beforeEach(() => {
    channel = new BroadcastChannel(spanChannelName)
    // The boundary: only the set-up module posts here.
    channel.onmessage = (event) => add((event as { readonly data: RecordedSpan }).data)
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [handOn(add)] }))
  })
  afterEach(() => {
    trace.disable()
    context.disable()
    channel?.close()
    spans.length = 0
    checks = []
  })
  return {
    setup: new URL('../fixtures/telemetry/record-spans.ts', import.meta.url),
    spans,
    span: (name, accepts = () => true) =>
      new Promise((resolve) => {
        const check = () => {
          const found = spans.find((span) => span.name === name && accepts(span))
          if (found === undefined) return
          checks = checks.filter((one) => one !== check)
          resolve(found)
        }
        checks.push(check)
        check()
      }),
  }
}
