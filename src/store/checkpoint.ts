/**
 * When pages move from the WAL to the database file.
 *
 * A thread of its own does the work, so that no commit pays for it: PASSIVE checkpoints, which wait for nobody. But
 * while the writer goes on committing there are always pages that came after the thread looked, so the WAL is never
 * whole in the file, never begins again from its start, and grows without end. Therefore, when the thread reports a
 * WAL over the second limit, the writer itself runs one PASSIVE checkpoint between two commits, and its next commit begins
 * the WAL anew. While more came meanwhile than the writer moves in passing, the thread goes over it again first: what is
 * left gets less with each round, as long as the thread is faster than the writer.
 *
 *          4 MB more in the WAL             report                    over 32 MB
 *   idle ──────────────────────► asked ───────────────► idle, or ─────────────────► the writer runs one, then idle
 *                                  ▲                                     │
 *                                  └─ much came meanwhile, a few times ──┘
 *
 * A reader that stays in an old snapshot, as a backup does, keeps pages in the WAL whoever runs the checkpoint. Nothing is
 * done about it but asking again each time that 4 MB more are there. When the thread had to leave more than the second
 * limit, the writer does nothing: it could move no more than the thread, and once the reader has gone it would move all
 * that at once, with everybody waiting.
 */
import type { Database } from 'better-sqlite3'
import { type Clock, systemClock } from '../clock.ts'
import { assert, toPlainError } from '../errors.ts'
import { fromSqliteError } from './database-errors.ts'
import type { CheckpointAnswer, CheckpointReport } from './messages.ts'
import { pageBytes } from './open.ts'

/** A page in the WAL has a header of 24 bytes. */
const frameBytes = pageBytes + 24

export interface CheckpointLimits {
  /** Bytes added to the WAL after which the thread is asked. Default 4 MB. */
  readonly checkpointBytes: number
  /** Size of the WAL from which the writer runs a checkpoint too. Default 32 MB. */
  readonly writerBytes: number
}

/** What the writer moves in passing: a few milliseconds with what the disk takes. */
const littleBytes = 32 * frameBytes
/** Rounds of the thread before the writer takes what is left, however much it is. */
const mostRounds = 4

const defaultCheckpointLimits: CheckpointLimits = {
  checkpointBytes: 4 * 1024 * 1024,
  writerBytes: 32 * 1024 * 1024,
}

/** Decides, and does nothing itself. Told by the supervisor after each commit. */
export class CheckpointPolicy {
  #limits: CheckpointLimits
  #isAsked = false
  #walBytes = 0
  /** How much of the present WAL the last checkpoint has seen. */
  #seenBytes = 0
  /** Of the thread, since the WAL was last whole in the file. */
  #rounds = 0

  constructor(limits: CheckpointLimits = defaultCheckpointLimits) {
    checkLimits(limits)
    this.#limits = limits
  }

  /** From now on others hold. */
  use(limits: CheckpointLimits): void {
    checkLimits(limits)
    this.#limits = limits
  }

  /** @param walBytes what `readWalBytes` gives; not the size of the -wal file, which does not shrink */
  shouldAskThread(walBytes: number): boolean {
    // Less than before: the WAL began again from its start.
    if (walBytes < this.#seenBytes) this.#seenBytes = 0
    this.#walBytes = walBytes
    return !this.#isAsked && walBytes - this.#seenBytes >= this.#limits.checkpointBytes
  }

  asked(): void {
    assert(!this.#isAsked, 'one checkpoint at a time')
    this.#isAsked = true
  }

  /**
   * Says what comes next. To be called also, with a failure, when the thread died.
   *
   * @param walBytes what `readWalBytes` gives now: more may have come than the answer knows of
   */
  reported(answer: CheckpointAnswer, walBytes: number): 'writer-checkpoint' | 'thread-again' | 'nothing' {
    this.#isAsked = false
    if (answer.kind === 'checkpoint-failed') {
      this.#seenBytes = this.#walBytes
      return 'nothing'
    }
    this.#seenBytes = answer.walPages * frameBytes
    const leftBytes = (answer.walPages - answer.checkpointedPages) * frameBytes
    const isHeld = leftBytes > this.#limits.writerBytes
    if (this.#seenBytes <= this.#limits.writerBytes || isHeld) return 'nothing'
    const isMuch = walBytes - answer.checkpointedPages * frameBytes > littleBytes
    if (isMuch && ++this.#rounds < mostRounds) return 'thread-again'
    this.#rounds = 0
    return 'writer-checkpoint'
  }
}

function checkLimits({ checkpointBytes, writerBytes }: CheckpointLimits): void {
  assert(checkpointBytes > 0, 'a checkpoint needs something to move')
  assert(checkpointBytes <= writerBytes, 'the thread is asked before the writer helps')
}

/**
 * Size of the part of the WAL that is in use, as this connection knows it. Some microseconds; moves nothing.
 *
 * @throws DATABASE_FAILED, DATABASE_CORRUPT
 */
export function readWalBytes(database: Database): number {
  return runCheckpoint(database, 'NOOP').walPages * frameBytes
}

/**
 * Moves what can be moved without waiting for anybody. Not inside a transaction.
 *
 * @throws DISK_FULL, DATABASE_FAILED, DATABASE_CORRUPT, DATABASE_READ_ONLY
 */
export function checkpointPassive(database: Database, clock: Clock = systemClock): CheckpointReport {
  const startMs = clock.monotonicMs()
  const answer = runCheckpoint(database, 'PASSIVE')
  return { kind: 'checkpointed', ...answer, elapsedMs: clock.monotonicMs() - startMs }
}

/** The same for the thread: what goes wrong is an answer too. */
export function answerCheckpoint(database: Database): CheckpointAnswer {
  try {
    return checkpointPassive(database)
  } catch (error) {
    return { kind: 'checkpoint-failed', error: toPlainError(error) }
  }
}

function runCheckpoint(
  database: Database,
  mode: 'NOOP' | 'PASSIVE',
): Pick<CheckpointReport, 'busy' | 'walPages' | 'checkpointedPages'> {
  try {
    const row = database
      .prepare<[], { busy: number; log: number; checkpointed: number }>(`PRAGMA wal_checkpoint(${mode})`)
      .get()
    assert(row !== undefined, 'a checkpoint answers with a row')
    // SQLite answers -1 for both when it could not even look.
    return {
      busy: row.busy !== 0,
      walPages: Math.max(row.log, 0),
      checkpointedPages: Math.max(row.checkpointed, 0),
    }
  } catch (error) {
    throw fromSqliteError(error, database.name)
  }
}
