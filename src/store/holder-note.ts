/**
 * Who has a database open, written down in the database itself. The lock file can be removed under its holder, and then
 * keeps nobody out: whoever comes next makes a new file and locks that. So it is asked before anything is written whether
 * the process that wrote the note still lives.
 *
 * The lock file is known by device and inode. Whoever holds the very file that the note names holds what its writer held,
 * who has therefore given it up: the note means nothing then, however it came to stay. Nor does it in a copy of the
 * database, which is another file. Only a system that tells when a process began can answer (Linux); elsewhere nothing
 * is refused.
 */
import type { Database } from 'better-sqlite3'
import { fileIdentity } from './file-system.ts'
import { type DatabaseLock, type LockHolder, lockedBy } from './lock.ts'
import { readBootId, readProcess } from './process-facts.ts'

interface HolderNote extends LockHolder {
  readonly bootId: string
  readonly startTicks: number
  readonly lockFile: string
  readonly databaseFile: string
}

const noteName = 'holder'

/**
 * Reads only.
 *
 * @throws DATABASE_LOCKED when a process that lives has the database open without the lock file that is held here
 * @throws SUBPROCESS_FAILED when that process cannot be looked at
 */
export function refuseOther(database: Database, lock: DatabaseLock): void {
  const note = readNote(database)
  if (note === undefined || note.lockFile === lock.file) return
  if (note.databaseFile !== fileIdentity(database.name)) return
  if (note.bootId !== readBootId()) return
  const facts = readProcess(note.pid)
  if (facts === undefined || facts.isDead || facts.startTicks !== note.startTicks) return
  const { pid, host, since, program } = note
  throw lockedBy(database.name, { pid, host, since, program }, true)
}

/** Need not survive a loss of power: it means nothing after the next start of the machine. */
export function writeNote(database: Database, lock: DatabaseLock): void {
  const bootId = readBootId()
  const facts = readProcess(process.pid)
  const databaseFile = fileIdentity(database.name)
  if (bootId === '' || facts === undefined || databaseFile === undefined || lock.file === undefined) return
  const { startTicks } = facts
  const note: HolderNote = { ...lock.holder, bootId, startTicks, lockFile: lock.file, databaseFile }
  const synchronous = database.pragma('synchronous', { simple: true })
  database.pragma('synchronous = NORMAL')
  database
    .prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)')
    .run(noteName, JSON.stringify(note))
  database.pragma(`synchronous = ${String(synchronous)}`)
}

/** To be called by the holder. What cannot be removed does no harm while the lock file stays. */
export function removeNote(database: Database): void {
  try {
    if (hasMeta(database)) database.prepare('DELETE FROM meta WHERE name = ?').run(noteName)
  } catch {
    // A full or vanished disk.
  }
}

function readNote(database: Database): HolderNote | undefined {
  if (!hasMeta(database)) return undefined
  const text = database
    .prepare<[string], unknown>('SELECT value FROM meta WHERE name = ?')
    .pluck()
    .get(noteName)
  // The boundary where a note of our own gets its type again.
  return typeof text === 'string' ? (JSON.parse(text) as HolderNote) : undefined
}

/** A database whose making was cut short, or which was taken back to no schema at all, has none. */
function hasMeta(database: Database): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() !== undefined
}
