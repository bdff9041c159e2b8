import { type ErrorCode, type ErrorFacts, engineError, SemanticaError, toPlainError } from '../errors.ts'

/**
 * Gives an error of SQLite, or of the file system under it, its code in the registry. What is not about the state of
 * the file or the disk (a constraint, a syntax error) comes back unchanged: only the caller knows what it means.
 *
 * @param path the database file, for the message
 */
export function fromSqliteError(error: unknown, path: string): Error {
  if (error instanceof SemanticaError) return error
  if (!(error instanceof Error)) return new Error(toPlainError(error).message, { cause: error })
  const code = sqliteCode(error)
  if (code === undefined) return error
  const known = factsOf(code, path)
  if (known === undefined) return error
  const [registryCode, { found, action }] = known
  return engineError(registryCode, {
    found: `${found} (${code}: ${error.message})`,
    action,
    details: { path, sqliteCode: code },
    cause: error,
  })
}

/** The code of an error that SQLite or the operating system raised, such as `SQLITE_FULL` or `EACCES`. */
export function sqliteCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Whether a statement of ours was refused when the engine started: the schema is not what its migrations say. */
export function isSchemaError(error: unknown): error is Error {
  return sqliteCode(error) === 'SQLITE_ERROR'
}

export function schemaDamaged(error: Error, path: string): Error {
  return engineError('DATABASE_CORRUPT', {
    found: `A table of ${path} is missing, or is not as the engine made it: ${error.message}`,
    action: 'Restore a backup, or start with a new file.',
    details: { path },
    cause: error,
  })
}

function factsOf(code: string, path: string): readonly [ErrorCode, ErrorFacts] | undefined {
  // SQLite reports a disk without room for the WAL index as an input/output error.
  if (code === 'SQLITE_IOERR_SHMSIZE') return diskFull(path)
  // Extended codes are the primary one with a suffix: SQLITE_IOERR_WRITE, SQLITE_READONLY_DBMOVED, ...
  switch (code.split('_').slice(0, 2).join('_')) {
    case 'SQLITE_FULL':
    case 'ENOSPC':
    case 'EDQUOT':
      return diskFull(path)
    case 'SQLITE_READONLY':
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_PERM':
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return [
        'DATABASE_READ_ONLY',
        {
          found: `${path} cannot be opened for writing`,
          action: 'Give this user the right to write the file and its folder, or choose another path.',
        },
      ]
    case 'SQLITE_CORRUPT':
    case 'SQLITE_NOTADB':
      return [
        'DATABASE_CORRUPT',
        {
          found: `${path} is damaged`,
          action:
            'Keep a copy of the file together with its -wal, then restore a backup or start with a new file.',
        },
      ]
    case 'SQLITE_BUSY':
      return [
        'DATABASE_LOCKED',
        {
          found: `Another connection holds a lock on ${path}`,
          action: 'End the program that has the file open, and try again.',
        },
      ]
    case 'SQLITE_IOERR':
    case 'SQLITE_PROTOCOL':
    case 'SQLITE_NOLFS':
    case 'SQLITE_NOMEM':
      return [
        'DATABASE_FAILED',
        {
          found: `${path} cannot be read or written`,
          action: 'Look at the system log for faults of the disk, then start the engine again.',
        },
      ]
    default:
      return undefined
  }
}

function diskFull(path: string): readonly [ErrorCode, ErrorFacts] {
  return [
    'DISK_FULL',
    {
      found: `There is no space left for ${path}`,
      action: 'Free space on the disk that holds it; what was acknowledged is kept.',
    },
  ]
}
