/**
 * The file beside a job database that says which programs run for it: `<database>-processes.db`. A program is written
 * down before it does anything, so that after the death of the engine the next one finds it. Nothing else is kept in
 * it: it is emptied as programs end, and removed when none is left at the stop.
 */
import { rmSync } from 'node:fs'
import Connection, { type Database } from 'better-sqlite3'
import { engineError } from '../errors.ts'
import { fromSqliteError } from './database-errors.ts'
import { assertWritable, isSingleByte, processFilePath } from './file-system.ts'
import { identify, processMark, readNumber } from './mark.ts'

/** One program that was started, and what tells it from any later process of the same number. */
export interface ProcessRow {
  readonly runId: string
  readonly pid: number
  /** Of the machine's start: numbers of processes mean nothing after another. Empty where the system does not tell. */
  readonly bootId: string
  /** In clock ticks since the machine's start; 0 where the system does not tell. */
  readonly startTicks: number
  readonly processGroup: number
  readonly session: number
  /** When it was last known to live, as startTicks. */
  readonly seenTicks: number
}

const schema = `CREATE TABLE IF NOT EXISTS processes (
  run_id TEXT PRIMARY KEY,
  pid INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  start_ticks INTEGER NOT NULL,
  process_group INTEGER NOT NULL,
  session INTEGER NOT NULL,
  seen_ticks INTEGER NOT NULL
) STRICT, WITHOUT ROWID`

/** Of a file that an older version has left. */
const hasSeen = "SELECT count(*) FROM pragma_table_info('processes') WHERE name = 'seen_ticks'"
const addSeen = 'ALTER TABLE processes ADD COLUMN seen_ticks INTEGER NOT NULL DEFAULT 0'

const busyTimeoutMs = 1_000

/** For the one actor that starts programs. Each change is durable, across the death of this process, when it returns. */
export class ProcessFile {
  readonly #path: string
  readonly #database: Database
  readonly #insert
  readonly #update
  readonly #delete
  readonly #select

  /**
   * Opens the file, and makes it where it is missing.
   *
   * @throws PATH_INVALID, DATABASE_READ_ONLY, DATABASE_FOREIGN, DATABASE_CORRUPT, DISK_FULL, DATABASE_FAILED
   */
  constructor(database: string) {
    this.#path = processFilePath(database)
    assertWritable(this.#path)
    this.#database = guarded(this.#path, () => open(this.#path))
    this.#insert = this.#database.prepare<ProcessRow>(
      `INSERT INTO processes (run_id, pid, boot_id, start_ticks, process_group, session, seen_ticks)
       VALUES (@runId, @pid, @bootId, @startTicks, @processGroup, @session, @seenTicks)`,
    )
    this.#update = this.#database.prepare<[ticks: number, runIds: string]>(
      'UPDATE processes SET seen_ticks = ? WHERE run_id IN (SELECT value FROM json_each(?))',
    )
    this.#delete = this.#database.prepare<[string]>('DELETE FROM processes WHERE run_id = ?')
    this.#select = this.#database.prepare<[], ProcessRow>(
      `SELECT run_id AS runId, pid, boot_id AS bootId, start_ticks AS startTicks, process_group AS processGroup,
       session, seen_ticks AS seenTicks FROM processes ORDER BY run_id`,
    )
  }

  /** @throws DISK_FULL, DATABASE_FAILED */
  add(row: ProcessRow): void {
    guarded(this.#path, () => this.#insert.run(row))
  }

  /**
   * Writes down that these still live.
   *
   * @throws DISK_FULL, DATABASE_FAILED
   */
  seen(runIds: readonly string[], ticks: number): void {
    guarded(this.#path, () => this.#update.run(ticks, JSON.stringify(runIds)))
  }

  /** @throws DISK_FULL, DATABASE_FAILED */
  remove(runId: string): void {
    guarded(this.#path, () => this.#delete.run(runId))
  }

  all(): ProcessRow[] {
    return guarded(this.#path, () => this.#select.all())
  }

  /** Closes the file, and removes it when it holds nothing. */
  close(): void {
    const isEmpty = this.all().length === 0
    this.#database.close()
    if (!isEmpty) return
    for (const suffix of ['-wal', '-shm', '']) rmSync(this.#path + suffix, { force: true })
  }
}

function open(path: string): Database {
  if (isSingleByte(path)) throw foreign(path, 'is a file of one byte')
  const database = new Connection(path, { timeout: busyTimeoutMs })
  try {
    if (identify(database, processMark) === 'foreign') {
      throw foreign(path, 'is an SQLite database of another program')
    }
    database.pragma(`application_id = ${processMark}`)
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = NORMAL')
    database.exec(schema)
    if (readNumber(database, hasSeen) === 0) database.exec(addSeen)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function foreign(path: string, found: string): Error {
  return engineError('DATABASE_FOREIGN', {
    found: `${path} ${found}`,
    allowed: 'the list of programs that this engine runs, or no file at all',
    action: 'Move the file away.',
    details: { path },
  })
}

function guarded<Result>(path: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw fromSqliteError(error, path)
  }
}
