import { toPlainError } from '../errors.ts'
import { defineActor } from '../jobs.ts'
import type { GroupReply, IndexMessage, IndexReply, SingleMessage } from './index-messages.ts'
import { guarded, type IndexDatabase, openIndexForWriting } from './index-schema.ts'
import { IndexStatements } from './index-statements.ts'

export interface IndexWriterOptions {
  /** Absolute path of the index database. */
  readonly path: string
}

interface IndexWriter {
  readonly path: string
  readonly database: IndexDatabase
  readonly statements: IndexStatements
}

/**
 * The actor that owns the index database. All that waits is committed in one transaction, and answered after it: a job
 * that awaited its answer is DONE only when its rows are on disk.
 */
export default defineActor(import.meta.url, {
  start({ path }: IndexWriterOptions): IndexWriter {
    const database = openIndexForWriting(path)
    return { path, database, statements: new IndexStatements(database) }
  },
  receive(
    messages: readonly IndexMessage[],
    writer: IndexWriter,
  ): readonly (IndexReply | GroupReply | Error)[] {
    const singles = messages.flatMap((message) => (message.kind === 'group' ? message.messages : [message]))
    const outcomes = commitAll(writer, singles)
    let next = 0
    return messages.map((message) => {
      if (message.kind !== 'group') return outcomes[next++] ?? new Error('No reply')
      const own = outcomes.slice(next, next + message.messages.length)
      next += message.messages.length
      const replies = own.map((outcome) =>
        outcome instanceof Error ? { kind: 'refused' as const, error: toPlainError(outcome) } : outcome,
      )
      return { kind: 'group-replies', replies }
    })
  },
  stop({ database }: IndexWriter): void {
    database.close()
  },
})

function commitAll(writer: IndexWriter, messages: readonly SingleMessage[]): readonly (IndexReply | Error)[] {
  try {
    return commit(writer, messages)
  } catch (error) {
    if (messages.length === 1) return [asError(error)]
    // One message that SQLite refuses must not take the others with it.
    return messages.flatMap((message) => commitAll(writer, [message]))
  }
}

function commit(
  { path, database, statements }: IndexWriter,
  messages: readonly SingleMessage[],
): readonly IndexReply[] {
  return guarded(path, () =>
    database.transaction(() => messages.map((message) => statements.apply(message))).immediate(),
  )
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
