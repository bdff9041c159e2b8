import { systemClock } from '../clock.ts'
import { assert, unreachable } from '../errors.ts'
import {
  type Authorship,
  type IndexReply,
  type PackedDefinition,
  type SingleMessage,
  unpackDefinitions,
} from './index-messages.ts'
import type { IndexDatabase } from './index-schema.ts'

interface FileRow extends Authorship {
  readonly id: number
  readonly hash: string | null
}

/** The writer's side of the index: what each message does to it. Must be called within a transaction. */
export class IndexStatements {
  readonly #findFile
  readonly #putFile
  readonly #touchFile
  readonly #dropFile
  readonly #dropDefinitions
  readonly #putDefinition
  readonly #getFact
  readonly #putFact
  readonly #dropFact

  constructor(database: IndexDatabase) {
    this.#findFile = database.prepare<[string], FileRow>(
      'SELECT id, hash, run, generation, attempt FROM files WHERE path = ?',
    )
    this.#putFile = database.prepare<Record<string, unknown>, number>(
      `INSERT INTO files (path, size, mtime_ms, checked_at_ms, hash, skip_reason, language, symbols, run, generation, attempt)
       VALUES (@path, @size, @mtimeMs, @checkedAtMs, @hash, @skipReason, @language, @symbols, @run, @generation, @attempt)
       ON CONFLICT (path) DO UPDATE SET size = excluded.size, mtime_ms = excluded.mtime_ms,
         checked_at_ms = excluded.checked_at_ms, hash = excluded.hash, skip_reason = excluded.skip_reason,
         language = excluded.language, symbols = excluded.symbols, run = excluded.run,
         generation = excluded.generation, attempt = excluded.attempt
       RETURNING id`,
    )
    this.#putFile.pluck()
    this.#touchFile = database.prepare(
      `UPDATE files SET size = @size, mtime_ms = @mtimeMs, checked_at_ms = @checkedAtMs,
         run = @run, generation = @generation, attempt = @attempt WHERE path = @path`,
    )
    this.#dropFile = database.prepare('DELETE FROM files WHERE id = ?')
    this.#dropDefinitions = database.prepare('DELETE FROM definitions WHERE file_id = ?')
    // A row at a time: json_each and multi-row inserts both took a fifth more of the processor.
    this.#putDefinition = database.prepare<[number, number, ...PackedDefinition]>(
      'INSERT INTO definitions (file_id, ordinal, name, kind, line, container, text) VALUES (?, ?, ?, ?, ?, ?, ?)',
    )
    this.#getFact = database.prepare<[string], unknown>('SELECT value FROM facts WHERE name = ?').pluck()
    this.#putFact = database.prepare('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)')
    this.#dropFact = database.prepare('DELETE FROM facts WHERE name = ?')
  }

  apply(message: SingleMessage): IndexReply {
    switch (message.kind) {
      case 'begin-run':
        return this.#beginRun()
      case 'file-parsed':
        return this.#replace(message, () => {
          const { hash, language, symbols } = message
          const definitions = unpackDefinitions(message.definitions)
          const id = this.#put(message, { hash, language, symbols, skipReason: null })
          for (const [ordinal, definition] of definitions.entries()) {
            this.#putDefinition.run(id, ordinal, ...definition)
          }
        })
      case 'file-skipped':
        return this.#replace(message, () => {
          this.#put(message, { hash: null, language: null, symbols: 0, skipReason: message.reason })
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
        return { kind: 'committed', applied: true }
      default:
        return unreachable(message)
    }
  }

  /** Numbers grow even when the index was deleted meanwhile and old jobs come back: they are times, if possible. */
  #beginRun(): IndexReply {
    const last = Number(this.#getFact.get('run') ?? 0)
    const run = Math.max(systemClock.wallMs(), last + 1)
    this.#putFact.run('run', run)
    this.#putFact.run('open_run', run)
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
      this.#dropDefinitions.run(file.id)
    }
    write(file)
    return { kind: 'committed', applied: true }
  }

  #put(
    message: Extract<SingleMessage, { kind: 'file-parsed' | 'file-skipped' }>,
    content: {
      readonly hash: string | null
      readonly language: string | null
      readonly symbols: number
      readonly skipReason: string | null
    },
  ): number {
    const { path, stamp, checkedAtMs, author } = message
    const id = this.#putFile.get({ path, ...stamp, checkedAtMs, ...content, ...author })
    assert(id !== undefined, 'an upsert returns its row')
    return id
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
    this.#dropDefinitions.run(file.id)
    this.#dropFile.run(file.id)
  }
}

function isOlder(author: Authorship, written: Authorship): boolean {
  if (author.run !== written.run) return author.run < written.run
  if (author.generation !== written.generation) return author.generation < written.generation
  return author.attempt < written.attempt
}
