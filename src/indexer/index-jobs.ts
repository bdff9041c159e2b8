import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { systemClock } from '../clock.ts'
import { defineJobs, Fatal, type JobContext } from '../jobs.ts'
import { type Authorship, packDefinitions, type SingleMessage } from './index-messages.ts'
import { handlersUnderWay, tellIndex } from './index-telling.ts'
import { languageOf } from './language.ts'
import { readSource, type SkipReason, type SourceFile } from './source-file.ts'

/** What an INDEX_FILE job carries. */
export interface IndexFilePayload {
  /** Absolute path of the indexed directory. */
  readonly root: string
  /** Relative to it, with slashes. */
  readonly path: string
  /** Number of the run that asks. */
  readonly run: number
  /** Hash of the content that the index holds; null when it holds none. */
  readonly hash: string | null
  readonly maxFileBytes: number
}

/** What became of the file. */
export type IndexFileOutcome =
  | {
      readonly kind: 'indexed'
      readonly path: string
      readonly symbols: number
      readonly bytes: number
    }
  | { readonly kind: 'unchanged'; readonly path: string; readonly bytes: number }
  | { readonly kind: 'skipped'; readonly path: string; readonly reason: SkipReason }
  | { readonly kind: 'vanished'; readonly path: string }

const isText = (value: unknown): boolean => typeof value === 'string'
const isNumber = (value: unknown): boolean => typeof value === 'number'

/** What each field of a payload must be. */
const payloadFields: Readonly<Record<keyof IndexFilePayload, (value: unknown) => boolean>> = {
  root: isText,
  path: isText,
  run: isNumber,
  hash: (value) => value === null || isText(value),
  maxFileBytes: isNumber,
}
const payloadChecks = Object.entries(payloadFields)

function isPayload(value: unknown): value is IndexFilePayload {
  return typeof value === 'object' && value !== null && wrongFields(value).length === 0
}

function wrongFields(value: object): readonly string[] {
  // Any object can be asked for any field.
  const given = value as Readonly<Record<string, unknown>>
  return payloadChecks.flatMap(([name, isRight]) => (isRight(given[name]) ? [] : [name]))
}

const payloadSchema: StandardSchemaV1<IndexFilePayload> = {
  '~standard': {
    version: 1,
    vendor: 'semantica-task-engine',
    validate(value) {
      if (isPayload(value)) return { value }
      if (typeof value !== 'object' || value === null) return { issues: [{ message: 'must be an object' }] }
      return { issues: wrongFields(value).map((name) => ({ message: 'missing or mistyped', path: [name] })) }
    },
  },
}

/** The built-in workload: one job reads one file, and ends when its definitions are committed to the index. */
export default defineJobs(import.meta.url, {
  INDEX_FILE: {
    payload: payloadSchema,
    // While some files' rows wait for their commit, the thread parses the next.
    overlap: handlersUnderWay,
    retry: { maxAttempts: 3, backoffMs: 200 },
    timeoutMs: 120_000,
    run: indexFile,
  },
})

/** What was found out about a file: what to tell the index, and what the job returns once that is committed. */
interface Finding {
  readonly message: SingleMessage
  readonly outcome: IndexFileOutcome
}

/**
 * What waits for the commit holds neither the file's text nor what was found in it: dozens of handlers wait at a time,
 * and each garbage collection would move all of that.
 */
function indexFile(payload: IndexFilePayload, context: JobContext): Promise<IndexFileOutcome> {
  return lookAt(payload, context).then(({ message, outcome }) =>
    tellIndex(context, message).then(() => outcome),
  )
}

async function lookAt(payload: IndexFilePayload, context: JobContext): Promise<Finding> {
  const { root, path, maxFileBytes } = payload
  const author: Authorship = {
    run: payload.run,
    generation: context.generation ?? 0,
    attempt: context.attempt,
  }
  const checkedAtMs = systemClock.wallMs()
  const file = readOrGiveUp(join(root, path), maxFileBytes)
  switch (file.kind) {
    case 'vanished':
      return { message: { kind: 'file-vanished', path, author }, outcome: { kind: 'vanished', path } }
    case 'skipped': {
      const { reason, stamp } = file
      return {
        message: { kind: 'file-skipped', path, author, stamp, checkedAtMs, reason },
        outcome: { kind: 'skipped', path, reason },
      }
    }
    case 'source': {
      const { stamp } = file
      if (file.hash === (await knownHash(payload, context))) {
        return {
          message: { kind: 'file-unchanged', path, author, stamp, checkedAtMs },
          outcome: { kind: 'unchanged', path, bytes: stamp.size },
        }
      }
      return await parse(file, { path, author, checkedAtMs }, context)
    }
  }
}

/** Not before it is needed: the host thread imports this module too, and must start fast. */
function loadExtraction(): Promise<typeof import('./extract.ts')> {
  extraction ??= import('./extract.ts')
  return extraction
}

let extraction: Promise<typeof import('./extract.ts')> | undefined

// A pool thread that has loaded this has nothing to do until the host has listed the files, and sleeps meanwhile. So it
// is ready to parse when it says that it is ready.
if (!isMainThread) {
  await loadExtraction().then(
    ({ prepareRuntime }) => prepareRuntime(),
    // The first file has the same trouble, and its job tells it.
    () => {},
  )
}

async function parse(
  file: Extract<SourceFile, { kind: 'source' }>,
  about: { readonly path: string; readonly author: Authorship; readonly checkedAtMs: number },
  context: JobContext,
): Promise<Finding> {
  const { hash, stamp, text } = file
  const { path } = about
  const language = languageOf(path)
  if (language === undefined) throw new Fatal(`There is no grammar for ${path}`)
  const { extractDefinitions } = await loadExtraction()
  const found = await extractDefinitions(language, text, () => context.cancelled)
  const symbols = found.length
  const packed = packDefinitions(found)
  return {
    message: { kind: 'file-parsed', ...about, stamp, hash, language, symbols, ...packed },
    outcome: { kind: 'indexed', path, symbols, bytes: stamp.size },
  }
}

/** What the index holds: as the payload says, unless an earlier attempt of this job may have committed. */
async function knownHash(payload: IndexFilePayload, context: JobContext): Promise<string | null> {
  if (context.attempt === 1) return payload.hash
  const reply = await tellIndex(context, { kind: 'find-hash', path: payload.path })
  return reply.kind === 'hash' ? reply.hash : null
}

/** Of what can go wrong with a file, only a shortage passes by itself. */
function readOrGiveUp(path: string, maxFileBytes: number): SourceFile {
  try {
    return readSource(path, maxFileBytes)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EMFILE' || code === 'ENFILE' || code === 'EAGAIN' || code === 'EBUSY') throw error
    throw new Fatal(error instanceof Error ? error.message : String(error), { cause: error })
  }
}
