/**
 * What the engine's spans are called and say, after OpenTelemetry's conventions for messaging: a queue is a destination,
 * a job is a message. Unlike there the name has the job type and not the queue: most jobs are in the same queue.
 */
import type { Attributes } from '@opentelemetry/api'

export function spanName(operation: 'enqueue' | 'process', jobType: string | undefined): string {
  return jobType === undefined ? operation : `${operation} ${jobType}`
}

export function enqueueAttributes(
  queue: string | undefined,
  jobType: string | undefined,
  jobs: number,
): Attributes {
  return {
    'messaging.system': 'semantica',
    'messaging.operation.name': 'enqueue',
    'messaging.operation.type': 'send',
    ...(queue === undefined ? {} : { 'messaging.destination.name': queue }),
    ...(jobType === undefined ? {} : { 'semantica.job.type': jobType }),
    ...(jobs === 1 ? {} : { 'messaging.batch.message_count': jobs }),
  }
}

export function attemptAttributes(attempt: {
  readonly jobId: string
  readonly jobType: string
  readonly queue: string
  readonly attempt: number
}): Attributes {
  return {
    'messaging.system': 'semantica',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': attempt.queue,
    'messaging.message.id': attempt.jobId,
    'semantica.job.type': attempt.jobType,
    'semantica.job.attempt': attempt.attempt,
  }
}
