import type { Database } from 'better-sqlite3'
import { removeNote } from './holder-note.ts'

/**
 * Closes the writer with the WAL moved into the file and emptied, so that what is left behind is one file. A reader that
 * is still open may prevent the emptying; nothing is lost then, the next open goes on from the WAL.
 */
export function closeWriter(database: Database): void {
  try {
    if (database.inTransaction) database.exec('ROLLBACK')
    removeNote(database)
    database.pragma('wal_checkpoint(TRUNCATE)')
  } catch {
    // A full or vanished disk: the WAL stays as it is, which is whole.
  } finally {
    database.close()
  }
}
