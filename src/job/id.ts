import { describe, engineError } from '../errors.ts'

declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** Public id of a job: opaque text that stays valid for the life of its database. */
export type JobId = Branded<string, 'JobId'>
/** Key of a job's row. Grows by one with each job and is never used again. */
export type JobSeq = Branded<number, 'JobSeq'>
/** Eight lower-case characters that tell one database from another. */
export type DatabaseId = Branded<string, 'DatabaseId'>

const databaseIdPattern = /^[0-9a-z]{8}$/
const jobIdPattern = /^job_([0-9a-z]{8})_([0-9a-z]{1,11})$/

export function toJobSeq(number: number): JobSeq {
  return number as JobSeq
}

export function toDatabaseId(text: string): DatabaseId {
  if (!databaseIdPattern.test(text)) throw new Error(`Not a database id: ${text}`)
  return text as DatabaseId
}

export function newDatabaseId(): DatabaseId {
  const bytes = crypto.getRandomValues(new Uint8Array(8))
  return toDatabaseId(Array.from(bytes, (byte) => (byte % 36).toString(36)).join(''))
}

export function encodeJobId(database: DatabaseId, seq: JobSeq): JobId {
  return `job_${database}_${seq.toString(36)}` as JobId
}

/** @throws JOB_ID_INVALID when the text is not an id, or an id of another database */
export function decodeJobId(database: DatabaseId, id: string): JobSeq {
  const match = jobIdPattern.exec(id)
  const seq = match === null ? Number.NaN : Number.parseInt(match[2] ?? '', 36)
  // One job has one id: another spelling of its number would not compare equal.
  const isCanonical = Number.isSafeInteger(seq) && seq > 0 && seq.toString(36) === match?.[2]
  if (match === null || !isCanonical) {
    throw engineError('JOB_ID_INVALID', {
      found: `${describe(id)} is not a job id`,
      allowed: 'an id that enqueue, list or an event gave',
      action: typeof id === 'string' ? 'Pass the id unchanged.' : 'Pass the id alone, as `job.id`.',
    })
  }
  if (match[1] !== database) {
    throw engineError('JOB_ID_INVALID', {
      found: `${id} belongs to the database ${match[1]}, this one is ${database}`,
      action: 'Open the database that the job was enqueued in.',
    })
  }
  return toJobSeq(seq)
}
