/** What the command ends with. `--help` and the README list them. */
export const exitCodes = {
  ok: 0,
  /** Some files failed, or nothing was found. */
  incomplete: 1,
  /** Wrong usage, or an error that ended the command. */
  failed: 2,
  /** Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const

export const exitCodeHelp = `
Exit codes:
  0    done
  1    some files failed, or the search found nothing
  2    wrong usage, or an error that ended the command
  130  stopped by Ctrl-C or SIGTERM; the next run goes on`
