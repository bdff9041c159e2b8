import { describe, engineError, isErrorCode } from '../errors.ts'
import { type AnyJobDefinition, isJobsModule } from '../job/definition.ts'
import { withProgramHandler } from './run-program.ts'

/**
 * Imports the modules that serve job types, in a pool thread, and gives their handlers by type.
 *
 * @throws JOBS_MODULE_INVALID naming the module and what is wrong with it
 */
export async function loadHandlers(urls: readonly string[]): Promise<ReadonlyMap<string, AnyJobDefinition>> {
  const handlers = new Map<string, AnyJobDefinition>()
  for (const url of urls) {
    const exported = await importModule(url)
    const jobs =
      typeof exported === 'object' && exported !== null && 'default' in exported
        ? exported.default
        : undefined
    if (!isJobsModule(jobs)) {
      throw engineError('JOBS_MODULE_INVALID', {
        found: `The default export of ${url} is ${describe(jobs)}`,
        allowed: 'what defineJobs(import.meta.url, …) returned',
        action: 'Export it as `export default defineJobs(…)`.',
      })
    }
    for (const [type, definition] of Object.entries(jobs.definitions))
      handlers.set(type, withProgramHandler(definition))
  }
  return handlers
}

/** Runs a set-up module: it may connect, warm up or patch before any handler is loaded. Its exports are not used. */
export async function loadSetup(url: string | undefined): Promise<void> {
  if (url !== undefined) await importModule(url)
}

async function importModule(url: string): Promise<unknown> {
  try {
    return await import(url)
  } catch (error) {
    if (error instanceof Error && 'code' in error && isErrorCode(String(error.code))) throw error
    throw engineError('JOBS_MODULE_INVALID', {
      found: `${url} cannot be loaded: ${error instanceof Error ? error.message : describe(error)}`,
      allowed: 'a module that imports without an error in a worker thread',
      action: 'Import it by itself to see the error; heavy imports belong inside handlers.',
      cause: error,
    })
  }
}
