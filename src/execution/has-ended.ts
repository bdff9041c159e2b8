import { engineError } from '../errors.ts'

/** HANDLER_ENDED: a context was used after its handler had ended. */
export function hasEnded(jobId: string, what: string, call: string): Error {
  return engineError('HANDLER_ENDED', {
    found: `${jobId} has ended, but its handler ${what} afterwards`,
    allowed: `${call} while the handler runs`,
    action: 'Await what the handler begins before it returns.',
  })
}
