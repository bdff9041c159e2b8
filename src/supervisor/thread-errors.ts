/** What is said of pool threads that end, or are of no use. */
import { engineError } from '../errors.ts'
import type { DeathCause } from '../job/failure-cause.ts'

export function deathCause(error: Error): DeathCause {
  if ('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') return 'OUT_OF_MEMORY'
  // Piscina's words for a thread that ended without an error.
  return error.message.startsWith('worker exited with code') ? 'EXITED' : 'THREAD_DIED'
}

/** @param what became of the thread while it loaded its modules */
export function notLoaded(what: string, cause?: Error): Error {
  return engineError('START_FAILED', {
    found: `A pool thread ${what}`,
    action: 'Import the set-up and jobs modules by themselves to see what ends or holds up the thread.',
    cause,
  })
}

export function notServed(jobTypes: readonly string[]): Error {
  return engineError('JOBS_MODULE_INVALID', {
    found: `In a thread no module serves ${jobTypes.join(', ')}: a thread imports the default export of each module's URL`,
    allowed: 'modules whose default export is what defineJobs(import.meta.url, …) returned',
    action: 'Give each defineJobs a module of its own, as its default export.',
  })
}
