import { type Incoming, servePort } from '../actor/port.ts'
import type { ThreadStart } from '../actor/thread-start.ts'
import { engineError } from '../errors.ts'
import { backUp } from './backup.ts'
import type { BackupProtocol, ReaderData } from './messages.ts'

/** A thread that makes one backup. Asked to stop, it gives it up, and removes what it has written. */
export function runBackup(thread: ThreadStart): void {
  // The boundary where the owner's data gets its type.
  const { path } = thread.data as ReaderData
  let ended: Error | undefined
  let underway: Promise<void> | undefined
  thread.onStop(async () => {
    ended = engineError('ENGINE_STOPPED', {
      found: 'The engine was stopped while it made a backup',
      action: 'Nothing is left of it. Start the engine again, and repeat it.',
    })
    await underway
  })
  servePort<BackupProtocol>(thread.port, ({ request, answer }: Incoming<BackupProtocol>) => {
    underway = backUp(path, request, { endedBy: () => ended }).then(
      (report) => answer.reply(report),
      (error: unknown) => answer.refuse(error),
    )
  })
  thread.ready()
}
