/** What the command ends with. `--help` and the README list them. */
export const exitCodes = {
  ok: 0,
  /** Some files failed, or nothing was found. */
  incomplete: 1,
  /** Wrong usage, or an error that ended the command. */
  failed: 2,
  /** The schema of a database is newer or older than this version of the engine needs, or of another one. */
  otherSchema: 3,
  /** A migration failed; the database is as it was. */
  migrationFailed: 4,
  /** Going back to an older schema would drop data. */
  wouldLoseData: 5,
  /** Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const

export const exitCodeHelp = `
Exit codes:
  0    done
  1    some files failed, or nothing was found
  2    wrong usage, or an error that ended the command
  3    the database was written by another version (newer, older or changed), and is as it was
  4    a migration failed, and the database is as it was
  5    refused, since data would be lost; --force goes on
  130  stopped by Ctrl-C or SIGTERM; the next run goes on`
