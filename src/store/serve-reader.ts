import { type Incoming, servePort } from '../actor/port.ts'
import type { ThreadStart } from '../actor/thread-start.ts'
import { unreachable } from '../errors.ts'
import { fromSqliteError } from './database-errors.ts'
import type { ReaderData, ReaderProtocol } from './messages.ts'
import { openReader } from './open.ts'
import { JobReader } from './reader.ts'

/** The reader thread: answers questions about stored jobs beside the writer, so that no reader ever holds it up. */
export function runReader(thread: ThreadStart): void {
  try {
    // The boundary where the owner's data gets its type.
    const { path } = thread.data as ReaderData
    const database = openReader(path)
    const reader = new JobReader(database)
    thread.onStop(() => {
      database.close()
    })
    servePort<ReaderProtocol>(thread.port, (incoming) => {
      try {
        answer(reader, incoming)
      } catch (error) {
        incoming.answer.refuse(fromSqliteError(error, path))
      }
    })
    thread.ready()
  } catch (error) {
    thread.failed(error)
  }
}

function answer(reader: JobReader, incoming: Incoming<ReaderProtocol>): void {
  switch (incoming.kind) {
    case 'get':
      incoming.answer.reply(reader.get(incoming.request))
      return
    case 'list':
      incoming.answer.reply(reader.list(incoming.request))
      return
    default:
      unreachable(incoming)
  }
}
