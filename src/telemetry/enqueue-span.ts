import type { Span } from '@opentelemetry/api'
import { toPlainError } from '../errors.ts'
import { defaultQueue } from '../job/spec.ts'
import { type OpenTelemetryApi, registeredApi, traceparentOf, tracerOf } from './open-telemetry.ts'
import { recordFailure } from './record-failure.ts'
import { unlessSpanFails } from './span-guard.ts'
import { enqueueAttributes, spanName } from './span-names.ts'

interface EnqueuedJob {
  readonly jobType: string
  readonly options: { readonly queue?: string } | undefined
}

/** What an enqueue was answered with. */
type Added = { readonly id: string } | readonly { readonly id: string }[]

/** The span of one call of `enqueue`, from the call to its acknowledgement. The jobs' attempts are its children. */
class EnqueueSpan {
  /** Undefined: nobody records spans, and none was active. */
  readonly traceparent: string | undefined
  readonly #span: Span

  constructor(api: OpenTelemetryApi, span: Span) {
    this.#span = span
    this.traceparent = traceparentOf(api, span.spanContext())
  }

  /** Ends the span with the acknowledgement. */
  around<Answer extends Added>(acknowledged: Promise<Answer>): Promise<Answer> {
    const span = this.#span
    if (unlessSpanFails(() => span.isRecording()) !== true) return acknowledged
    return acknowledged.then(
      (added) => {
        unlessSpanFails(() => {
          if ('id' in added) span.setAttribute('messaging.message.id', added.id)
          span.end()
        })
        return added
      },
      (thrown: unknown) => {
        unlessSpanFails(() => {
          recordFailure(span, toPlainError(thrown))
          span.end()
        })
        throw thrown
      },
    )
  }
}

/**
 * Begins the span of a job, or of jobs that are enqueued together. Undefined: nobody here has to do with traces, or they
 * cannot be recorded.
 */
export function beginEnqueueSpan(jobs: EnqueuedJob | readonly EnqueuedJob[]): EnqueueSpan | undefined {
  const api = registeredApi()
  return api === undefined ? undefined : unlessSpanFails(() => begin(api, jobs))
}

function begin(api: OpenTelemetryApi, jobs: EnqueuedJob | readonly EnqueuedJob[]): EnqueueSpan {
  const all = 'jobType' in jobs ? [jobs] : jobs
  const jobType = shared(all, (job) => job.jobType)
  const queue = shared(all, (job) => job.options?.queue ?? defaultQueue)
  const span = tracerOf(api).startSpan(spanName('enqueue', jobType), {
    kind: api.SpanKind.PRODUCER,
    attributes: enqueueAttributes(queue, jobType, all.length),
  })
  return new EnqueueSpan(api, span)
}

/** What is the same for all of them; undefined: it differs. */
function shared(jobs: readonly EnqueuedJob[], read: (job: EnqueuedJob) => string): string | undefined {
  const [first] = jobs
  if (first === undefined) return undefined
  const value = read(first)
  return jobs.every((job) => read(job) === value) ? value : undefined
}
