import { systemClock } from '../clock.ts'
import { unreachable } from '../errors.ts'
import type { Authorship, IndexReply, SingleMessage } from './index-messages.ts'
import { type IndexDatabase, nameIndexSql } from './index-schema.ts'

type WrittenFile = Extract<SingleMessage, { kind: 'file-parsed' | 'file-skipped' }>

/** A row of `files`, its path last. */
type FileValues = [
  size: number,
  mtimeMs: number,
  checkedAtMs: number,
  hash: string | null,
  skipReason: string | null,
  language: string | null,
  symbols: number,
  run: number,
  generation: number,
  attempt: number,
  path: string,
]

interface FileRow extends Authorship {
  readonly id: number
  readonly hash: string | null
}

/** The writer's side of the index: what each message does to it. Must be called within a transaction. */
export class IndexStatements {
  readonly #database: IndexDatabase
  readonly #findFile
  readonly #addFile
  readonly #changeFile
  readonly #touchFile
  readonly #dropFile
  readonly #dropDefinitions
  readonly #dropDetails
  readonly #putNames
  readonly #putDetails
  readonly #hasDefinition
  readonly #getFact
  readonly #putFact
  readonly #dropFact

  constructor(database: IndexDatabase) {
    this.#database = database
    this.#findFile = database.prepare<[string], FileRow>(
      'SELECT id, hash, run, generation, attempt FROM files WHERE path = ?',
    )
    this.#addFile = database.prepare<FileValues>(
      `INSERT INTO files (size, mtime_ms, checked_at_ms, hash, skip_reason, language, symbols, run, generation, attempt, path)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#changeFile = database.prepare<FileValues>(
      `UPDATE files SET size = ?, mtime_ms = ?, checked_at_ms = ?, hash = ?, skip_reason = ?, language = ?,
         symbols = ?, run = ?, generation = ?, attempt = ? WHERE path = ?`,
    )
    this.#touchFile = database.prepare(
      `UPDATE files SET size = @size, mtime_ms = @mtimeMs, checked_at_ms = @checkedAtMs,
         run = @run, generation = @generation, attempt = @attempt WHERE path = @path`,
    )
    this.#dropFile = database.prepare('DELETE FROM files WHERE id = ?')
    this.#dropDefinitions = database.prepare<[number, number]>(
      'DELETE FROM definitions WHERE id >= ? << 32 AND id < (? + 1) << 32',
    )
    this.#dropDetails = database.prepare<[number]>('DELETE FROM details WHERE file_id = ?')
    // All names of a file in one call: binding each by itself took four times as long.
    this.#putNames = database.prepare<[number, string]>(
      'INSERT INTO definitions (id, name) SELECT (? << 32) | key, value FROM json_each(?)',
    )
    this.#putDetails = database.prepare<[number, string]>(
      'INSERT INTO details (file_id, packed) VALUES (?, ?)',
    )
    this.#hasDefinition = database.prepare('SELECT 1 FROM definitions LIMIT 1')
    this.#getFact = database.prepare<[string], unknown>('SELECT value FROM facts WHERE name = ?').pluck()
    this.#putFact = database.prepare('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)')
    this.#dropFact = database.prepare('DELETE FROM facts WHERE name = ?')
  }

  apply(message: SingleMessage): IndexReply {
    switch (message.kind) {
      case 'begin-run':
        return this.#beginRun(message)
      case 'file-parsed':
        return this.#replace(message, (file) => {
          const { hash, language, symbols, names, details } = message
          const id = this.#put(message, file, { hash, language, symbols, skipReason: null })
          if (symbols === 0) return
          this.#putNames.run(id, names)
          this.#putDetails.run(id, details)
        })
      case 'file-skipped':
        return this.#replace(message, (file) => {
          this.#put(message, file, { hash: null, language: null, symbols: 0, skipReason: message.reason })
        })
      case 'file-unchanged':
        return this.#touch(message)
      case 'file-vanished':
        return this.#replace(message, (file) => {
          if (file !== undefined) this.#dropFile.run(file.id)
        })
      case 'find-hash':
        return { kind: 'hash', hash: this.#findFile.get(message.path)?.hash ?? null }
      case 'drop-files':
        for (const path of message.paths) this.#drop(path)
        return { kind: 'committed', applied: true }
      case 'end-run':
        this.#putFact.run('last_summary', message.summary)
        this.#dropFact.run('open_run')
        this.#database.exec(nameIndexSql.create)
        return { kind: 'committed', applied: true }
      default:
        return unreachable(message)
    }
  }

  /** Numbers grow even when the index was deleted meanwhile and old jobs come back: they are times, if possible. */
  #beginRun({ root, place }: { readonly root: string; readonly place: string }): IndexReply {
    const last = Number(this.#getFact.get('run') ?? 0)
    const run = Math.max(systemClock.wallMs(), last + 1)
    this.#putFact.run('root', root)
    this.#putFact.run('place', place)
    this.#putFact.run('run', run)
    this.#putFact.run('open_run', run)
    if (this.#hasDefinition.get() === undefined) this.#database.exec(nameIndexSql.drop)
    return { kind: 'run-begun', run }
  }

  /** Takes a file's rows away and lets `write` put new ones, unless a later attempt has written. */
  #replace(
    message: { readonly path: string; readonly author: Authorship },
    write: (file: FileRow | undefined) => void,
  ): IndexReply {
    const file = this.#findFile.get(message.path)
    if (file !== undefined) {
      if (isOlder(message.author, file)) return { kind: 'committed', applied: false }
      this.#dropContent(file)
    }
    write(file)
    return { kind: 'committed', applied: true }
  }

  /** Writes the file's row; gives its id. */
  #put(
    { path, stamp, checkedAtMs, author }: WrittenFile,
    file: FileRow | undefined,
    content: {
      readonly hash: string | null
      readonly language: string | null
      readonly symbols: number
      readonly skipReason: string | null
    },
  ): number {
    const { hash, skipReason, language, symbols } = content
    const { run, generation, attempt } = author
    const { size, mtimeMs } = stamp
    const facts = [size, mtimeMs, checkedAtMs, hash, skipReason, language, symbols] as const
    const values: FileValues = [...facts, run, generation, attempt, path]
    if (file === undefined) return Number(this.#addFile.run(...values).lastInsertRowid)
    this.#changeFile.run(...values)
    return file.id
  }

  #touch(message: Extract<SingleMessage, { kind: 'file-unchanged' }>): IndexReply {
    const { path, stamp, checkedAtMs, author } = message
    const file = this.#findFile.get(path)
    if (file === undefined || isOlder(author, file)) return { kind: 'committed', applied: false }
    this.#touchFile.run({ path, ...stamp, checkedAtMs, ...author })
    return { kind: 'committed', applied: true }
  }

  #drop(path: string): void {
    const file = this.#findFile.get(path)
    if (file === undefined) return
    this.#dropContent(file)
    this.#dropFile.run(file.id)
  }

  #dropContent({ id }: FileRow): void {
    this.#dropDefinitions.run(id, id)
    this.#dropDetails.run(id)
  }
}

function isOlder(author: Authorship, written: Authorship): boolean {
  if (author.run !== written.run) return author.run < written.run
  if (author.generation !== written.generation) return author.generation < written.generation
  return author.attempt < written.attempt
}
