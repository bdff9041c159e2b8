import { envValuesOf } from '../job/program.ts'
import { traceIdOf } from '../job/traceparent.ts'
import type { Claim } from './claims.ts'
import type { FailedAttempt, JobFailure } from './messages.ts'

/** What is told of an attempt that failed. */
export function failedAttempt(
  { seq, jobType, queue, traceparent, attempt, payload }: Claim,
  failure: JobFailure,
  startedAt: number | null,
  now: number,
): FailedAttempt {
  return {
    seq,
    jobType: jobType.name,
    queue,
    traceId: traceIdOf(traceparent),
    attempt,
    failure,
    durationMs: startedAt === null ? undefined : now - startedAt,
    ...(jobType.isProgram ? { envValues: envValuesOf(JSON.parse(payload)) } : {}),
  }
}
