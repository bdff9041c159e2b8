import type { Database } from 'better-sqlite3'

/** What the chosen statement does instead of its work. */
export type Fault =
  /** It fails, and the transaction goes on. */
  | 'fails'
  /** SQLite gives up the whole transaction, as it may on a full disk. */
  | 'rolls-back'
  /** It fails, and so do the next ones, so that the second try cannot be committed either. */
  | 'fails-for-long'

const longRun = 40

/** A connection of which the statement with a chosen number fails; but a ROLLBACK never does. */
export class FaultyDatabase {
  /** Statements that were run since the fault was set. */
  runs = 0
  readonly #database: Database
  #fault: { readonly at: number; readonly kind: Fault } | undefined

  constructor(database: Database) {
    this.#database = database
  }

  /** Has the statement with this number fail, counted from now. */
  set(at: number, kind: Fault): void {
    this.runs = 0
    this.#fault = { at, kind }
  }

  get hasFailed(): boolean {
    return this.#fault !== undefined && this.runs >= this.#fault.at
  }

  /** Whether no statement will fail any more. */
  get isWhole(): boolean {
    if (this.#fault === undefined) return true
    return this.runs >= this.#fault.at + (this.#fault.kind === 'fails-for-long' ? longRun : 0)
  }

  /** The boundary: the writer prepares statements and asks for `inTransaction`, and uses nothing else. */
  asDatabase(): Database {
    const prepare = (sql: string) => this.#wrap(sql)
    const database = this.#database
    return {
      prepare,
      get inTransaction() {
        return database.inTransaction
      },
    } as unknown as Database
  }

  #wrap(sql: string) {
    const statement = this.#database.prepare<unknown[], unknown>(sql)
    const before = () => {
      if (!sql.startsWith('ROLLBACK')) this.#before()
    }
    return {
      run: (...parameters: unknown[]) => {
        before()
        return statement.run(...parameters)
      },
      get: (...parameters: unknown[]) => {
        before()
        return statement.get(...parameters)
      },
      all: (...parameters: unknown[]) => {
        before()
        return statement.all(...parameters)
      },
      iterate: (...parameters: unknown[]) => {
        before()
        return statement.iterate(...parameters)
      },
    }
  }

  #before(): void {
    this.runs++
    if (this.#fault === undefined) return
    const { at, kind } = this.#fault
    const fails = kind === 'fails-for-long' ? this.runs >= at && this.runs < at + longRun : this.runs === at
    if (!fails) return
    if (kind === 'rolls-back' && this.#database.inTransaction) this.#database.exec('ROLLBACK')
    throw Object.assign(new Error('injected'), { code: 'SQLITE_FULL' })
  }
}
