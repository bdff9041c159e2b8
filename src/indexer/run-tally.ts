import type { Discovery, PathFailure } from './discover.ts'
import type { IndexFileOutcome } from './index-jobs.ts'
import type { KnownFile } from './index-snapshot.ts'
import type { Plan } from './plan.ts'
import type { SkipReason } from './source-file.ts'

/** Where a run stands; given to `onProgress` after each file. */
export interface IndexProgress {
  readonly filesDone: number
  /** Files whose content is looked at; 0 until that is known. */
  readonly filesTotal: number
  readonly bytesDone: number
  readonly bytesTotal: number
  readonly failed: number
}

/** Failures that are listed; the others are only counted. */
const maxListedFailures = 1_000

interface Counts {
  readonly files: number
  readonly indexed: number
  readonly unchanged: number
  readonly skipped: number
  readonly failed: number
  readonly removed: number
  readonly skippedBy: Readonly<Partial<Record<SkipReason, number>>>
  readonly failures: readonly PathFailure[]
}

/** Counts what becomes of each file in one run: `files` is the sum of indexed, unchanged, skipped and failed. */
export class RunTally {
  readonly #leftovers = new Set<string>()
  readonly #pendingBytes = new Map<string, number>()
  /** What the index held of the files to be read, where it held something. */
  readonly #knownHashes = new Map<string, string>()
  readonly #skippedBy = new Map<SkipReason, number>()
  readonly #failures: PathFailure[] = []
  #plan: Plan | undefined
  #indexed = 0
  #unchanged = 0
  #failed = 0
  #removed = 0
  #filesDone = 0
  #filesTotal = 0
  #bytesDone = 0
  #bytesTotal = 0

  /** A job of an earlier run has ended. Its file counts here unless the plan has it read again. */
  leftoverSettled(outcome: IndexFileOutcome): void {
    if (outcome.kind === 'indexed') this.#leftovers.add(outcome.path)
  }

  planned(plan: Plan, discovery: Discovery): void {
    this.#plan = plan
    for (const path of plan.unchanged) {
      if (this.#leftovers.has(path)) this.#indexed++
      else this.#unchanged++
    }
    for (const { path, size, hash } of plan.toRead) {
      this.#pendingBytes.set(path, size)
      if (hash !== null) this.#knownHashes.set(path, hash)
      this.#bytesTotal += size
    }
    this.#filesTotal = plan.toRead.length
    this.#removed = plan.removed.length
    for (const [reason, count] of plan.skipped) this.#skip(reason, count)
    if (discovery.unnameable > 0) this.#skip('name-not-utf8', discovery.unnameable)
    for (const failure of discovery.failures) this.#fail(failure)
  }

  settled(outcome: IndexFileOutcome): void {
    if (!this.#done(outcome.path)) return
    switch (outcome.kind) {
      case 'indexed':
        this.#indexed++
        break
      case 'unchanged':
        this.#unchanged++
        break
      case 'skipped':
        this.#skip(outcome.reason, 1)
        break
      case 'vanished':
        if (this.#knownHashes.has(outcome.path)) this.#removed++
        break
    }
  }

  failed(path: string, reason: string): void {
    if (this.#done(path)) this.#fail({ path, reason })
  }

  /**
   * The run was stopped: counts the files that it committed, and whose jobs could not say so any more. They are put back,
   * and find nothing to do in the next run.
   */
  settledInIndex(files: ReadonlyMap<string, KnownFile>, run: number): void {
    for (const path of [...this.#pendingBytes.keys()]) {
      const file = files.get(path)
      if (file?.run !== run) continue
      if (file.skipReason !== null) this.settled({ kind: 'skipped', path, reason: file.skipReason })
      else if (file.hash === this.#knownHashes.get(path))
        this.settled({ kind: 'unchanged', path, bytes: file.size })
      else this.settled({ kind: 'indexed', path, symbols: 0, bytes: file.size })
    }
  }

  /** How many files of the plan have not settled. */
  get pending(): number {
    return this.#pendingBytes.size
  }

  get progress(): IndexProgress {
    return {
      filesDone: this.#filesDone,
      filesTotal: this.#filesTotal,
      bytesDone: this.#bytesDone,
      bytesTotal: this.#bytesTotal,
      failed: this.#failed,
    }
  }

  get counts(): Counts {
    const skipped = [...this.#skippedBy.values()].reduce((sum, count) => sum + count, 0)
    return {
      files: this.#indexed + this.#unchanged + skipped + this.#failed + this.pending,
      indexed: this.#indexed,
      unchanged: this.#unchanged,
      skipped,
      failed: this.#failed,
      removed: this.#plan === undefined ? 0 : this.#removed,
      skippedBy: Object.fromEntries(this.#skippedBy),
      failures: this.#failures,
    }
  }

  /** A file counts once, whatever is reported of it. */
  #done(path: string): boolean {
    const bytes = this.#pendingBytes.get(path)
    if (bytes === undefined) return false
    this.#pendingBytes.delete(path)
    this.#filesDone++
    this.#bytesDone += bytes
    return true
  }

  #skip(reason: SkipReason, count: number): void {
    this.#skippedBy.set(reason, (this.#skippedBy.get(reason) ?? 0) + count)
  }

  #fail(failure: PathFailure): void {
    this.#failed++
    if (this.#failures.length < maxListedFailures) this.#failures.push(failure)
  }
}
