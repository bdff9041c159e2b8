/**
 * What one attempt leaves behind while it runs: how far it has come, its artifacts, and its summary. Made when a handler
 * first leaves something.
 *
 * What is new goes to the supervisor now and then, so that others see it while the handler runs and something is left
 * when its thread is ended. All of it goes along with the outcome once more, and is committed with that: so it does not
 * matter whether a report was throttled away, or is overtaken by the outcome.
 */
import type { Clock } from '../clock.ts'
import { describe, engineError, invalidOption } from '../errors.ts'
import { encodeSummary, summaryArtifact, summaryInArtifact } from '../job/json.ts'
import { invalidName, removeArtifact, storeArtifact } from './artifacts.ts'
import type { JobFiles } from './job-files.ts'
import type { Artifact, AttemptNews, Leavings, Progress } from './messages.ts'
import type { NewsDesk } from './news-desk.ts'

const maxNoteCharacters = 200
const maxArtifacts = 1_000
/** A longer summary is kept as an artifact. */
const maxSummaryCharacters = 4_096

interface Surroundings {
  readonly jobId: string
  readonly seq: number
  readonly attempt: number
  /** Real path of the database. */
  readonly database: string
  readonly files: JobFiles
  readonly clock: Clock
  readonly desk: NewsDesk
}

export class AttemptLeavings {
  readonly #surroundings: Surroundings
  // One by one, since a handler may tell its progress a million times.
  #fraction: number | undefined
  #note: string | undefined
  #progressAt = 0
  #isProgressNew = false
  readonly #artifacts = new Map<string, number>()
  #newArtifacts: Artifact[] = []
  #summary: string | undefined
  #isSummaryNew = false

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  progress(fraction: number, note: string | undefined): void {
    if (!(typeof fraction === 'number' && fraction >= 0 && fraction <= 1))
      throw invalidOption('the fraction of ctx.progress', describe(fraction), 'a number from 0 to 1')
    if (note !== undefined && typeof note !== 'string')
      throw invalidOption('the note of ctx.progress', describe(note), 'a string, or nothing')
    this.#fraction = fraction
    this.#note = note
    this.#progressAt = this.#surroundings.clock.wallMs()
    this.#isProgressNew = true
    this.#surroundings.desk.add(this)
  }

  artifact(name: unknown, data: unknown): string {
    if (name === summaryArtifact) throw invalidName(name)
    return this.#keep(name, data)
  }

  #keep(name: unknown, data: unknown): string {
    const { jobId, database, files, desk } = this.#surroundings
    if (this.#artifacts.size >= maxArtifacts && !(typeof name === 'string' && this.#artifacts.has(name))) {
      throw engineError('ARTIFACT_INVALID', {
        found: `${jobId} keeps more than ${maxArtifacts.toLocaleString('en')} artifacts in one attempt`,
        action: 'Pack them into one file.',
      })
    }
    const stored = storeArtifact(database, files, name, data)
    const artifact: Artifact = { name: stored.name, bytes: stored.bytes }
    this.#artifacts.set(artifact.name, artifact.bytes)
    this.#newArtifacts.push(artifact)
    desk.addAtOnce(this)
    return stored.path
  }

  summarize(value: unknown): void {
    const text = encodeSummary(value)
    if (text.length > maxSummaryCharacters) {
      this.#keep(summaryArtifact, text)
      this.#summary = summaryInArtifact
    } else {
      this.#summary = text
      // One of an earlier attempt is nothing any more, either.
      const { attempt, files } = this.#surroundings
      if (this.#artifacts.delete(summaryArtifact) || attempt > 1) removeArtifact(files, summaryArtifact)
    }
    this.#isSummaryNew = true
    this.#surroundings.desk.add(this)
  }

  /** What has not been told yet. */
  takeNews(): AttemptNews {
    const { seq, attempt } = this.#surroundings
    const news: AttemptNews = {
      seq,
      attempt,
      progress: this.#isProgressNew ? this.#progress() : undefined,
      artifacts: this.#newArtifacts.length > 0 ? this.#newArtifacts : undefined,
      summary: this.#isSummaryNew ? this.#summary : undefined,
    }
    this.#isProgressNew = false
    this.#newArtifacts = []
    this.#isSummaryNew = false
    return news
  }

  /** Everything, for the end of the attempt. */
  close(): Leavings {
    this.#surroundings.desk.remove(this)
    const artifacts = Array.from(this.#artifacts, ([name, bytes]) => ({ name, bytes }))
    return {
      progress: this.#progress(),
      artifacts: artifacts.length > 0 ? artifacts : undefined,
      summary: this.#summary,
    }
  }

  #progress(): Progress | undefined {
    if (this.#fraction === undefined) return undefined
    const note = this.#note?.slice(0, maxNoteCharacters).toWellFormed() ?? null
    return { fraction: this.#fraction, note, at: this.#progressAt }
  }
}
