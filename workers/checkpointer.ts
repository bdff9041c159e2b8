/** The thread that moves pages from the WAL to the database file. Of normal priority: a checkpoint holds a lock. */
import { startOfThread } from '../src/actor/thread-start.ts'
import { unreachable } from '../src/errors.ts'
import { answerCheckpoint } from '../src/store/checkpoint.ts'
import type { CheckpointerData, CheckpointRequest } from '../src/store/messages.ts'
import { openCheckpointer } from '../src/store/open.ts'

const thread = startOfThread('checkpointer')
try {
  // The boundary where the owner's data gets its type.
  const { path } = thread.data as CheckpointerData
  const database = openCheckpointer(path)
  thread.onStop(() => {
    database.close()
  })
  thread.port.on('message', (request: CheckpointRequest) => {
    switch (request.kind) {
      case 'checkpoint':
        thread.port.postMessage(answerCheckpoint(database))
        break
      default:
        unreachable(request.kind)
    }
  })
  thread.ready()
} catch (error) {
  thread.failed(error)
}
