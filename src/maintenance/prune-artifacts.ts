/**
 * Deletes the artifacts of jobs that finished longer ago than those are kept, the artifacts and logs of jobs that are not
 * there any more, and what of an artifact was written when its thread or the process died. The job keeps its list of them;
 * whoever looks at it is told that they are gone. It looks at the files, and not at the jobs: most jobs have none.
 *
 * Nothing outside of the three folders is ever deleted: they have to be folders and no links, as has the one that they lie
 * in; in them only what bears the id of a job of this database is touched; of a link the link is deleted, and not what it
 * leads to. No file is opened.
 *
 * Names are read before the jobs are asked for. A handler begins after the commit of its job, so whoever has a file that
 * was seen has a row that is seen: a job that is just being enqueued, or runs, cannot look like one that is gone.
 */
import {
  type BigIntStats,
  lstatSync,
  opendirSync,
  readdirSync,
  realpathSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { engineError, hasCode, toPlainError } from '../errors.ts'
import { jobFileFolders } from '../execution/job-files.ts'
import { decodeJobId } from '../job/id.ts'
import type { Duty, DutyReport, DutySurroundings } from './duty.ts'

/** Names that one slice reads, and files that it deletes. */
const namesPerSlice = 200
const filesPerSlice = 200

/** Of these jobs, those whose files are to stay. */
export const keptJobsSql = `SELECT seq FROM json_each(?) JOIN jobs ON jobs.seq = json_each.value
  WHERE finished_at IS NULL OR finished_at > ?`

/** No job finished by then: of those that are there all files stay. */
const beforeAllJobs = -1

/** One of the folders. */
interface Files {
  readonly folder: string
  /** Those of jobs that finished by then go. */
  readonly finishedBy: number
  /** The part of a name that is the job's id. */
  idOf(name: string): string
  /** Whether they are artifacts, which are counted and may be a folder for each job. */
  readonly areArtifacts: boolean
}

export class PruneArtifacts implements Duty {
  readonly name = 'prune-artifacts'
  readonly #surroundings: Pick<DutySurroundings, 'database' | 'databaseId'>
  readonly #keptJobs: { all(wanted: string, finishedBy: number): number[] }
  readonly #files: readonly Files[]
  readonly #slices: Generator<void>
  #examined = 0
  #deleted = 0
  #deletedBytes = 0
  /** What is not of a job, and not touched. */
  #strange = 0
  #failures = 0
  #failure: { readonly path: string; readonly error: unknown } | undefined
  #isMissing = false

  constructor({
    database,
    databaseId,
    clock,
    settings,
  }: Pick<DutySurroundings, 'database' | 'databaseId' | 'clock' | 'settings'>) {
    this.#surroundings = { database, databaseId }
    this.#keptJobs = database.prepare<[string, number], number>(keptJobsSql).pluck()
    const { logs, artifacts, partial } = jobFileFolders(database.name)
    const finishedBy = clock.wallMs() - settings.artifactRetentionMs
    const whole = (name: string): string => name
    this.#files = [
      {
        folder: logs,
        finishedBy: beforeAllJobs,
        idOf: (name) => name.split('.', 1).join(),
        areArtifacts: false,
      },
      { folder: artifacts, finishedBy, idOf: whole, areArtifacts: true },
      { folder: partial, finishedBy, idOf: whole, areArtifacts: true },
    ]
    this.#slices = this.#run()
  }

  /** @throws ARTIFACTS_NOT_PRUNED: at once when a folder is a link, at the end when some could not be deleted */
  async runOnce(): Promise<boolean> {
    return this.#slices.next().done !== true
  }

  report(): DutyReport {
    const { name } = this.#surroundings.database
    return {
      duty: this.name,
      deletedJobs: 0,
      deletedEarly: 0,
      deletedArtifacts: this.#deleted,
      reclaimedBytes: this.#deletedBytes,
      examined: this.#examined,
      details: this.#isMissing
        ? `${name}-files is not there: no job has kept a file yet`
        : this.#strange > 0
          ? `${this.#strange} files or folders that are of no job of this database were left alone`
          : undefined,
    }
  }

  *#run(): Generator<void> {
    this.#isMissing = !isFolder(jobFileFolders(this.#surroundings.database.name).all)
    // All of them first: where one is a link, nobody knows what the others are.
    const there = this.#files.filter(({ folder }) => !this.#isMissing && isFolder(folder))
    for (const files of there) yield* this.#prune(files)
    if (this.#failure === undefined) return
    const { path, error } = this.#failure
    throw notPruned(
      `${path} cannot be deleted${this.#failures > 1 ? `, nor can ${this.#failures - 1} others` : ''}: ${toPlainError(error).message}`,
      'Give this user the right to write the folder; what is left is tried again by the next run.',
      path,
    )
  }

  *#prune(files: Files): Generator<void> {
    const { folder } = files
    let opened: ReturnType<typeof opendirSync>
    try {
      opened = opendirSync(folder)
    } catch (error) {
      this.#failed(folder, error)
      return
    }
    try {
      for (let names = readNames(opened); names.length > 0; names = readNames(opened)) {
        this.#examined += names.length
        for (const name of this.#dueOf(names, files)) yield* this.#delete(files, name)
        yield
      }
    } finally {
      opened.closeSync()
    }
  }

  /** Those names whose jobs are past their time, or are not there. */
  #dueOf(names: readonly string[], { idOf, finishedBy }: Files): string[] {
    const { databaseId } = this.#surroundings
    const seqs = new Map<string, number>()
    for (const name of names) {
      try {
        seqs.set(name, decodeJobId(databaseId, idOf(name)))
      } catch (error) {
        if (!hasCode(error, 'JOB_ID_INVALID')) throw error
        this.#strange++
      }
    }
    const kept = new Set(this.#keptJobs.all(JSON.stringify([...seqs.values()]), finishedBy))
    return [...seqs].flatMap(([name, seq]) => (kept.has(seq) ? [] : [name]))
  }

  /** A log, an artifact under way, or the folder of a job's artifacts. */
  *#delete({ folder, areArtifacts }: Files, name: string): Generator<void> {
    const path = join(folder, name)
    try {
      const found = lookAt(path)
      if (found === undefined) return
      if (!found.isDirectory()) {
        this.#deleteFile(path, found, areArtifacts)
        return
      }
      if (!areArtifacts) {
        this.#strange++
        return
      }
      // Looked at once more, with all that leads to it: someone may have put a link there meanwhile.
      if (realpathSync(path) !== join(realpathSync(folder), name)) return
      let isEmpty = true
      for (const [index, file] of readdirSync(path).entries()) {
        isEmpty = this.#deleteWithin(join(path, file)) && isEmpty
        if (index % filesPerSlice === filesPerSlice - 1) yield
      }
      if (isEmpty) rmdirSync(path)
    } catch (error) {
      this.#failed(path, error)
    }
  }

  /** False: it stays. */
  #deleteWithin(path: string): boolean {
    this.#examined++
    try {
      const found = lookAt(path)
      if (found === undefined) return true
      // No job makes folders among its artifacts.
      if (found.isDirectory()) this.#strange++
      else this.#deleteFile(path, found, true)
      return !found.isDirectory()
    } catch (error) {
      this.#failed(path, error)
      return false
    }
  }

  #deleteFile(path: string, found: BigIntStats, isArtifact: boolean): void {
    unlinkSync(path)
    if (isArtifact) this.#deleted++
    if (found.isFile() && found.nlink === 1n) this.#deletedBytes += Number(found.size)
  }

  #failed(path: string, error: unknown): void {
    this.#failures++
    this.#failure ??= { path, error }
  }
}

function readNames(opened: ReturnType<typeof opendirSync>): string[] {
  const names: string[] = []
  for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) {
    names.push(entry.name)
    if (names.length === namesPerSlice) break
  }
  return names
}

/** False: there is none. @throws ARTIFACTS_NOT_PRUNED when something else stands there */
function isFolder(path: string): boolean {
  let found: BigIntStats | undefined
  try {
    found = lookAt(path)
  } catch (error) {
    throw notPruned(
      `${path} cannot be read: ${toPlainError(error).message}`,
      'Correct the rights on it.',
      path,
    )
  }
  if (found === undefined) return false
  if (found.isDirectory()) return true
  throw notPruned(
    `${path} is ${found.isSymbolicLink() ? 'a link' : 'not a folder'}, and nothing is deleted through it`,
    'Put a folder in its place; to have it on another disk, mount that there.',
    path,
  )
}

function lookAt(path: string): BigIntStats | undefined {
  return lstatSync(path, { throwIfNoEntry: false, bigint: true })
}

function notPruned(found: string, action: string, path: string): Error {
  return engineError('ARTIFACTS_NOT_PRUNED', { found, action, details: { path } })
}
