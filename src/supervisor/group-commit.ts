/**
 * Applies everything that waits in one transaction.
 *
 * When something fails, the transaction is rolled back and the commands are applied again one by one, each in a
 * savepoint of its own, so that one bad command cannot take the others with it; one that takes the whole transaction
 * with it all the same is left out. What is to happen after the commit (replies, events) is collected while applying and
 * dropped with whatever is rolled back: nobody hears of a change that is not durable. What is remembered beside the
 * tables (claims, times, numbers) goes back with them.
 */
import { SemanticaError } from '../errors.ts'
import { fromSqliteError } from '../store/database-errors.ts'
import type { JobWriter } from '../store/writer.ts'
import type { Claims } from './claims.ts'
import type { Metering } from './metering.ts'

/** Something that changes the database. May be applied more than once, after what it did was undone. */
export interface Command {
  apply(): void
  /**
   * It could not be applied; nothing of it is left.
   *
   * @param isAlone others were, or could have been: the fault is its own
   */
  refuse(error: Error, isAlone?: boolean): void
}

/** Memory that goes with the tables. */
export interface Remembered {
  /** Gives back what was remembered when it was called. */
  mark(): () => void
}

interface Mark {
  readonly claims: number
  readonly effects: number
  readonly recall: () => void
}

interface Refusal {
  readonly command: Command
  readonly error: Error
}

/** Whether it is nobody's own fault, and whatever is written next will fail as well. */
export function isEverybodys(error: unknown): boolean {
  if (!(error instanceof SemanticaError)) return false
  return ['DISK_FULL', 'DATABASE_READ_ONLY', 'DATABASE_LOCKED'].includes(error.code)
}

export class GroupCommit {
  readonly #writer: JobWriter
  readonly #claims: Claims
  readonly #remembered: Remembered
  readonly #databasePath: string
  readonly #metering: Metering | undefined
  #effects: (() => void)[] = []
  #commits = 0

  /** @param metering undefined: metrics are off */
  constructor(
    writer: JobWriter,
    claims: Claims,
    remembered: Remembered,
    databasePath: string,
    metering: Metering | undefined,
  ) {
    this.#metering = metering
    this.#writer = writer
    this.#claims = claims
    this.#remembered = remembered
    this.#databasePath = databasePath
  }

  get commits(): number {
    return this.#commits
  }

  /** Calls `effect` once the open transaction is committed, and not at all when it is rolled back. */
  afterCommit(effect: () => void): void {
    this.#effects.push(effect)
  }

  /**
   * Applies what `next` gives until it gives nothing more, and commits. Commands that fail are refused; gives the error
   * when nothing could be committed at all.
   */
  run(next: () => Command | undefined): Error | undefined {
    const mark = this.#mark()
    const commands: Command[] = []
    try {
      this.#begin()
      for (let command = next(); command !== undefined; command = next()) {
        commands.push(command)
        command.apply()
      }
      this.#commit()
    } catch {
      this.#undo(mark)
      return this.#replay(commands)
    }
    this.#tell()
    return undefined
  }

  /** Applies one command or throws; nothing of a failure is left, and nothing else is committed. */
  runOnly(apply: () => void): void {
    const mark = this.#mark()
    try {
      this.#begin()
      apply()
      this.#commit()
    } catch (error) {
      this.#undo(mark)
      throw fromSqliteError(error, this.#databasePath)
    }
    this.#tell()
  }

  /** @param lost what gave up the whole transaction, and is left out for that */
  #replay(commands: readonly Command[], lost?: Refusal): Error | undefined {
    const mark = this.#mark()
    const refused = lost === undefined ? [] : [lost]
    let loser: Refusal | undefined
    try {
      this.#begin()
      for (const command of commands) {
        if (command === lost?.command) continue
        const thrown = this.#applyAlone(command)
        if (thrown === undefined) continue
        const error = fromSqliteError(thrown, this.#databasePath)
        if (this.#isLost(error)) {
          loser = { command, error }
          throw error
        }
        refused.push({ command, error })
      }
      this.#commit()
    } catch (error) {
      this.#undo(mark)
      // On a full disk nobody is to blame. Where a page is damaged or cannot be read it is whoever needs that page, and
      // those before it can be committed without it.
      if (lost === undefined && loser !== undefined && !isEverybodys(loser.error))
        return this.#replay(commands, loser)
      const cause = fromSqliteError(error, this.#databasePath)
      for (const command of commands) command.refuse(cause, false)
      return cause
    }
    this.#tell()
    for (const { command, error } of refused) command.refuse(error, !isEverybodys(error))
    return undefined
  }

  /**
   * Whether the whole transaction is lost with what failed, and the others' changes too. SQLite may have rolled it back.
   * Once it has come to a damaged page it has not, and yet takes no more writes and no commit, not even after the
   * savepoint is rolled back. What it cannot read from the disk looks the same.
   */
  #isLost(error: Error): boolean {
    const isDamaged = error instanceof SemanticaError && error.code === 'DATABASE_CORRUPT'
    return isDamaged || !this.#writer.inTransaction
  }

  #applyAlone(command: Command): Error | undefined {
    const mark = this.#mark()
    try {
      this.#writer.withSavepoint(() => command.apply())
      return undefined
    } catch (error) {
      this.#rollbackTo(mark)
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  #begin(): void {
    this.#metering?.beginCommit()
    this.#writer.begin()
  }

  #commit(): void {
    this.#claims.clear()
    this.#writer.commit(this.#claims.ranges(), this.#claims.uncleared())
    this.#metering?.endCommit(this.#writer.counters.transitions)
    this.#commits++
    this.#claims.committed()
  }

  /** Outside of what may be rolled back: nothing that an effect does can undo the commit that it belongs to. */
  #tell(): void {
    const effects = this.#effects
    this.#effects = []
    for (const effect of effects) effect()
  }

  #undo(mark: Mark): void {
    this.#writer.rollback()
    this.#rollbackTo(mark)
  }

  #mark(): Mark {
    return {
      claims: this.#claims.mark(),
      effects: this.#effects.length,
      recall: this.#remembered.mark(),
    }
  }

  #rollbackTo({ claims, effects, recall }: Mark): void {
    this.#claims.rollbackTo(claims)
    this.#effects.length = effects
    recall()
  }
}
