/**
 * What running jobs leave behind: kept in the next group commit, the last of each kind of each job, and told to who
 * listens.
 *
 * News of a job counts only while the attempt that it is from is claimed: the outcome brings everything along, and may
 * have overtaken it.
 */
import type { AttemptNews, Leavings, LogFailure } from '../execution/messages.ts'
import { traceIdOf } from '../job/traceparent.ts'
import type { Changes } from './changes.ts'
import type { Claim } from './claims.ts'
import type { LastingPart } from './lasting-commands.ts'
import type { EngineEvent } from './messages.ts'

/** Jobs whose failing log was reported that are remembered, so that each is reported once. */
const maxLogFailures = 10_000

interface Surroundings {
  /** Has `apply` run in the next transaction, and again until it is committed, or its parts are. */
  submit(apply: () => void, divide: () => readonly LastingPart[]): void
  emit(event: EngineEvent): void
}

export class News {
  readonly #changes: Changes
  readonly #surroundings: Surroundings
  readonly #waiting = new Map<number, AttemptNews>()
  #isSubmitted = false
  readonly #logFailures = new Set<number>()

  constructor(changes: Changes, surroundings: Surroundings) {
    this.#changes = changes
    this.#surroundings = surroundings
  }

  receive(attempts: readonly AttemptNews[]): void {
    for (const news of attempts) this.#waiting.set(news.seq, merge(this.#waiting.get(news.seq), news))
    if (this.#isSubmitted) return
    this.#isSubmitted = true
    this.#surroundings.submit(
      () => this.#apply(),
      () => this.#divide(),
    )
  }

  logFailed({ seq, jobType, traceId, error }: LogFailure): void {
    // A thread tells its first only: it must not stand for the log.
    const isOfTrace = error.code === 'TRACE_FAILED'
    if (!isOfTrace && this.#isReported(seq)) return
    this.#surroundings.emit({ kind: 'job-log-failed', seq, jobType, traceId, error })
  }

  /** From now on it is. */
  #isReported(seq: number): boolean {
    if (this.#logFailures.has(seq)) return true
    this.#logFailures.add(seq)
    if (this.#logFailures.size > maxLogFailures) {
      for (const oldest of this.#logFailures) {
        this.#logFailures.delete(oldest)
        break
      }
    }
    return false
  }

  #apply(): void {
    for (const news of this.#waiting.values()) {
      const claim = this.#claimOf(news)
      if (claim !== undefined) keepLeavings(this.#changes, claim, news)
    }
    // Until then more may come, for when this is rolled back and tried again.
    this.#changes.afterCommit(() => {
      this.#waiting.clear()
      this.#isSubmitted = false
    })
  }

  /** The same one by one, after all together have failed. */
  #divide(): readonly LastingPart[] {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    this.#isSubmitted = false
    return waiting.flatMap((news) => {
      const claim = this.#claimOf(news)
      if (claim === undefined) return []
      const apply = () => this.#claimOf(news) === claim && keepLeavings(this.#changes, claim, news)
      return [{ claim, apply, comesAgain: true }]
    })
  }

  #claimOf({ seq, attempt }: AttemptNews): Claim | undefined {
    const claim = this.#changes.claims.get(seq)
    return claim?.attempt === attempt ? claim : undefined
  }
}

/** Keeps what an attempt has left behind. */
export function keepLeavings(changes: Changes, claim: Claim, leavings: Leavings): void {
  const { progress, artifacts, summary } = leavings
  // What is kept already, and comes again with the outcome, is not told again.
  if (
    progress !== undefined &&
    changes.writer.leavings.progressSet(claim.seq, progress) &&
    changes.wantsProgress
  ) {
    const { fraction, note } = progress
    changes.report({
      kind: 'job-progress',
      seq: claim.seq,
      jobType: claim.jobType.name,
      traceId: traceIdOf(claim.traceparent),
      fraction,
      note,
    })
  }
  if (artifacts !== undefined) changes.writer.leavings.jobArtifactsAdd(claim.seq, artifacts)
  if (summary !== undefined) changes.writer.leavings.jobSummarySet(claim.seq, summary)
}

function merge(before: AttemptNews | undefined, news: AttemptNews): AttemptNews {
  if (before?.attempt !== news.attempt) return news
  return {
    seq: news.seq,
    attempt: news.attempt,
    progress: news.progress ?? before.progress,
    artifacts: newestOfName(before.artifacts, news.artifacts),
    summary: news.summary ?? before.summary,
  }
}

/** While nothing can be committed they are gathered: no more than a job can have. */
function newestOfName(
  before: AttemptNews['artifacts'],
  added: AttemptNews['artifacts'],
): AttemptNews['artifacts'] {
  if (before === undefined || added === undefined) return before ?? added
  return [...new Map([...before, ...added].map((artifact) => [artifact.name, artifact])).values()]
}
