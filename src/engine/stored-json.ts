import { engineError } from '../errors.ts'

/**
 * What a column of a job holds; undefined where it holds nothing. The writer stores nothing but JSON.
 *
 * @param column of the job, as `result`
 * @throws DATABASE_CORRUPT when it is no JSON: the row is damaged, or somebody else has written it
 */
export function storedJson(text: string | null | undefined, jobId: string, column: string): unknown {
  if (text === null || text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    throw engineError('DATABASE_CORRUPT', {
      found: `The ${column} of ${jobId} is no JSON`,
      action: 'Restore a backup; other jobs can be read as before.',
      details: { jobId, column },
      cause: error,
    })
  }
}
