/** Turns what the supervisor tells into the events of the public map: numbers of jobs become their ids. */
import { unreachable } from '../errors.ts'
import type { EngineEvent, SettledJob } from '../supervisor/messages.ts'
import { recordLostAttempt } from '../telemetry/attempt-span.ts'
import type { EngineEvents } from '../telemetry/events.ts'

export function emitSettled(events: EngineEvents, idOf: (seq: number) => string, job: SettledJob): void {
  events.emit('job-settled', {
    jobId: idOf(job.seq),
    jobType: job.jobType,
    queue: job.queue,
    subjectKey: job.subjectKey ?? undefined,
    state: job.state,
    attempt: job.attempt,
    traceId: job.traceId,
    result: job.result === undefined ? undefined : JSON.parse(job.result),
    cause: job.failure?.cause,
    error: job.failure?.error,
    supersededBy: job.supersededBy === undefined ? undefined : idOf(job.supersededBy),
  })
}

export function emitEvent(events: EngineEvents, idOf: (seq: number) => string, event: EngineEvent): void {
  switch (event.kind) {
    case 'job-retried':
    case 'job-failed':
      emitFailure(events, idOf, event)
      return
    case 'job-unresponsive':
      events.emit(event.kind, { ...jobFacts(idOf, event), ignoredForMs: event.ignoredForMs })
      return
    case 'job-progress':
      events.emit(event.kind, {
        ...jobFacts(idOf, event),
        fraction: event.fraction,
        note: event.note ?? undefined,
      })
      return
    case 'job-threw-late':
      events.emit(event.kind, { ...jobFacts(idOf, event), error: event.error, throws: event.throws })
      return
    case 'job-log-failed':
      events.emit(event.kind, { ...jobFacts(idOf, event), error: event.error })
      return
    case 'job-without-handler':
      events.emit(event.kind, jobFacts(idOf, event))
      return
    case 'schema-upgraded': {
      const { fromVersion, toVersion, backup } = event
      events.emit(event.kind, { fromVersion, toVersion, backup })
      return
    }
    case 'attempt-lost': {
      const { startedAt, endedAt, outcome, failure } = event
      recordLostAttempt({ ...event, jobId: idOf(event.seq) }, { outcome, failure }, startedAt, endedAt)
      return
    }
    case 'recovered':
      events.emit(event.kind, { interrupted: event.interrupted, poisoned: event.poisoned })
      return
    case 'thread-died':
    case 'actor-died':
    case 'checkpointer-died':
      emitDeath(events, idOf, event)
      return
    case 'checkpoint-failed':
      events.emit(event.kind, { error: event.error, walBytes: event.walBytes })
      return
    case 'actor-recovered':
      events.emit(event.kind, { name: event.name })
      return
    case 'commit-failed':
      emitCommitFailed(events, idOf, event)
      return
    case 'throttled': {
      const { kind, ...throttled } = event
      events.emit(kind, throttled)
      return
    }
    case 'resumed':
      events.emit(event.kind, { reason: event.reason, heldForMs: event.heldForMs })
      return
    case 'maintenance-started':
    case 'maintenance-progress':
    case 'maintenance-completed':
    case 'maintenance-failed':
      emitMaintenance(events, event)
      return
    default:
      unreachable(event)
  }
}

function emitFailure(
  events: EngineEvents,
  idOf: (seq: number) => string,
  event: Extract<EngineEvent, { readonly kind: 'job-retried' | 'job-failed' }>,
): void {
  const { queue, attempt, durationMs, failure } = event
  const { cause, error } = failure
  const facts = { ...jobFacts(idOf, event), queue, attempt, durationMs, cause, error }
  if (event.kind === 'job-failed') events.emit('job-failed', facts)
  else events.emit('job-retried', { ...facts, state: event.state, delayMs: event.delayMs })
}

function emitCommitFailed(
  events: EngineEvents,
  idOf: (seq: number) => string,
  { kind, error, retryInMs, job }: Extract<EngineEvent, { readonly kind: 'commit-failed' }>,
): void {
  const { seq, jobType, traceId } = job ?? {}
  const jobId = seq === undefined ? undefined : idOf(seq)
  events.emit(kind, { jobId, jobType, traceId, error, retryInMs })
}

function emitDeath(
  events: EngineEvents,
  idOf: (seq: number) => string,
  event: Extract<EngineEvent, { readonly kind: `${string}-died` }>,
): void {
  switch (event.kind) {
    case 'thread-died':
      events.emit(event.kind, {
        threadId: event.threadId,
        cause: event.cause,
        error: event.error,
        suspects: event.suspects.map(idOf),
      })
      return
    case 'actor-died':
      events.emit(event.kind, { name: event.name, error: event.error, willRestart: event.willRestart })
      return
    case 'checkpointer-died':
      events.emit(event.kind, { error: event.error, willRestart: event.willRestart })
      return
    default:
      unreachable(event)
  }
}

function emitMaintenance(
  events: EngineEvents,
  event: Extract<EngineEvent, { readonly kind: `maintenance-${string}` }>,
): void {
  switch (event.kind) {
    case 'maintenance-started':
      events.emit(event.kind, { reason: event.reason })
      return
    case 'maintenance-progress': {
      const { kind, ...amounts } = event
      events.emit(kind, amounts)
      return
    }
    case 'maintenance-completed': {
      const { kind, ...amounts } = event
      events.emit(kind, amounts)
      return
    }
    case 'maintenance-failed':
      events.emit(event.kind, { duty: event.duty, error: event.error })
      return
    default:
      unreachable(event)
  }
}

function jobFacts(
  idOf: (seq: number) => string,
  { seq, jobType, traceId }: Extract<EngineEvent, { readonly traceId: string | undefined }>,
) {
  return { jobId: idOf(seq), jobType, traceId }
}
