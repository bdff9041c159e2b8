import { jobFilesOf } from '../execution/job-files.ts'
import type { DatabaseId } from '../job/id.ts'
import { decodeJobId } from '../job/id.ts'
import { fromSqliteError, isSchemaError } from '../store/database-errors.ts'
import { olderSchema } from '../store/migrate.ts'
import { type Database, openReader, readDatabaseId } from '../store/open.ts'
import { JobReader } from '../store/reader.ts'
import { findLogFiles, type LogFiles } from './job-log.ts'
import { type JobDetails, type JobRecord, toJobDetails } from './job-record.ts'
import { type JobPage, type ListFilter, toJobPage, toListRequest } from './list.ts'

/**
 * The jobs of a database, read without an engine and without its lock, also beside an engine in another process. Each
 * call reads on the caller's thread, and sees all that is committed by then.
 */
export class StoredJobs implements Disposable {
  readonly #database: Database
  readonly #databaseId: DatabaseId
  readonly #reader: JobReader

  /** @throws PATH_INVALID when there is none, DATABASE_OLDER, and as opening a database does */
  constructor(path: string) {
    this.#database = openReader(path)
    try {
      this.#databaseId = readDatabaseId(this.#database)
      this.#reader = new JobReader(this.#database)
    } catch (error) {
      const older = isSchemaError(error) ? olderSchema(this.#database) : undefined
      this.#database.close()
      throw older ?? fromSqliteError(error, path)
    }
  }

  /**
   * As `Engine.list`.
   *
   * @throws OPTION_INVALID, CURSOR_INVALID, JOB_ID_INVALID, and as reading a database does
   */
  list(filter: ListFilter): JobPage<JobRecord> {
    const request = toListRequest(this.#databaseId, filter)
    return toJobPage(
      this.#place,
      this.#guarded(() => this.#reader.list(request)),
    )
  }

  /**
   * As `Engine.get`.
   *
   * @throws JOB_ID_INVALID, and as reading a database does
   */
  async get(jobId: string): Promise<JobDetails | undefined> {
    const seq = decodeJobId(this.#databaseId, jobId)
    const [reading] = this.#guarded(() => this.#reader.get([seq]))
    return reading === undefined ? undefined : toJobDetails(this.#place, reading)
  }

  /**
   * The files that hold the log of a job, and what its program wrote.
   *
   * @throws JOB_ID_INVALID
   */
  logFiles(jobId: string): Promise<LogFiles> {
    decodeJobId(this.#databaseId, jobId)
    return findLogFiles(jobFilesOf(this.#place.path, jobId))
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  get #place() {
    return { databaseId: this.#databaseId, path: this.#database.name }
  }

  #guarded<Result>(read: () => Result): Result {
    try {
      return read()
    } catch (error) {
      throw fromSqliteError(error, this.#database.name)
    }
  }
}
