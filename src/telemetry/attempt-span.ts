import type { Context, Span } from '@opentelemetry/api'
import type { PlainError } from '../errors.ts'
import { decodeTraceparent } from '../job/traceparent.ts'
import {
  ensureContextManager,
  loadApi,
  type OpenTelemetryApi,
  registeredApi,
  tracerOf,
} from './open-telemetry.ts'
import { recordFailure } from './record-failure.ts'
import { spanFailed, type TellThrown, unlessSpanFails } from './span-guard.ts'
import { attemptAttributes, spanName } from './span-names.ts'

export interface TracedAttempt {
  readonly jobId: string
  readonly jobType: string
  readonly queue: string
  readonly attempt: number
  /** The span in which the job was enqueued. */
  readonly traceparent: string
}

/** How an attempt ended. */
export interface SpanEnd {
  /** `succeeded`, or what else it came to. */
  readonly outcome: string
  /** What failed. An attempt that gave way has not failed. */
  readonly failure: PlainError | undefined
}

/**
 * The span of one attempt: a child of the one in which its job was enqueued, and the parent of what its handler begins.
 * Whatever an SDK throws, the attempt ends as if nobody traced it.
 */
export class AttemptSpan {
  readonly #api: OpenTelemetryApi
  readonly #span: Span
  readonly #context: Context
  readonly #tell: TellThrown | undefined

  private constructor(api: OpenTelemetryApi, span: Span, context: Context, tell: TellThrown | undefined) {
    this.#api = api
    this.#span = span
    this.#context = context
    this.#tell = tell
  }

  /**
   * @param tell hears what the first span of this thread threw that could not be recorded; by default it is a warning
   * @param startedAt wall time; by default now
   */
  static begin(attempt: TracedAttempt, tell?: TellThrown, startedAt?: number): AttemptSpan | undefined {
    return unlessSpanFails(() => AttemptSpan.#begin(attempt, tell, startedAt), tell)
  }

  static #begin(
    attempt: TracedAttempt,
    tell: TellThrown | undefined,
    startedAt: number | undefined,
  ): AttemptSpan {
    const api = loadApi()
    const { trace, ROOT_CONTEXT, SpanKind } = api
    const parent = decodeTraceparent(attempt.traceparent)
    const enqueued =
      parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true })
    const options = {
      kind: SpanKind.CONSUMER,
      attributes: attemptAttributes(attempt),
      ...(startedAt === undefined ? {} : { startTime: startedAt }),
    }
    const span = tracerOf(api).startSpan(spanName('process', attempt.jobType), options, enqueued)
    return new AttemptSpan(api, span, trace.setSpan(enqueued, span), tell)
  }

  /** Calls `handler` with this span active, in all that it awaits and begins, too. */
  run<Returned>(handler: () => Returned): Returned {
    let isCalled = false
    const call = (): Returned => {
      isCalled = true
      return handler()
    }
    try {
      ensureContextManager(this.#api)
      return this.#api.context.with(this.#context, call)
    } catch (thrown) {
      if (isCalled) throw thrown
      spanFailed(thrown, this.#tell)
      return handler()
    }
  }

  /**
   * @param endedAt wall time; by default now
   * @param secrets gives values that are not to stand in what is told of a failure
   */
  end({ outcome, failure }: SpanEnd, endedAt?: number, secrets?: () => Iterable<string>): void {
    const span = this.#span
    unlessSpanFails(() => {
      span.setAttribute('semantica.job.outcome', outcome)
      if (failure !== undefined) recordFailure(span, failure, endedAt, secrets?.())
      span.end(endedAt)
    }, this.#tell)
  }
}

/** Records, on the host, the span of an attempt whose thread died before it could. */
export function recordLostAttempt(
  attempt: TracedAttempt,
  end: SpanEnd,
  startedAt: number,
  endedAt: number,
): void {
  if (registeredApi() !== undefined) AttemptSpan.begin(attempt, undefined, startedAt)?.end(end, endedAt)
}
