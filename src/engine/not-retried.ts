import { engineError, unreachable } from '../errors.ts'
import { unknownJobType } from '../execution/attempt.ts'
import type { RetryReply } from '../supervisor/messages.ts'

/** Why a job could not be tried again as a new one. */
export function notRetried(
  jobId: string,
  reply: Exclude<RetryReply, { readonly kind: 'retried' }>,
  known: Iterable<string>,
): Error {
  switch (reply.kind) {
    case 'unknown':
      return engineError('JOB_UNKNOWN', {
        found: `${jobId} does not exist`,
        action: 'It may have been pruned.',
      })
    case 'not-finished':
      return engineError('JOB_NOT_FINISHED', {
        found: `${jobId} is ${reply.state}`,
        allowed: 'a job that has ended',
        action: 'Wait for its result, or cancel it first.',
      })
    case 'no-handler':
      return unknownJobType(reply.jobType, known)
    default:
      return unreachable(reply)
  }
}
