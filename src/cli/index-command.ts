import { commandSources, takeUnknownVariables } from '../config.ts'
import { type IndexSummary, indexDirectory } from '../indexer/index-directory.ts'
import { exitCodes } from './exit-codes.ts'
import { watchInterruption } from './interruption.ts'
import { printable } from './printable.ts'
import { progressDisplay } from './progress-display.ts'
import type { SettingFlags } from './setting-flags.ts'
import { startTraces } from './traces.ts'
import { tellUnknownVariables } from './unknown-variables.ts'

interface IndexCommandOptions extends SettingFlags {
  readonly state?: string
  readonly json?: boolean
  readonly maxFileBytes?: number
}

/** Failures that are named on the terminal; `--json` lists more. */
const maxShownFailures = 20

export async function runIndex(directory: string, options: IndexCommandOptions): Promise<number> {
  const { state, json = false, maxFileBytes, ...flags } = options
  const sources = commandSources(flags, process.cwd())
  tellUnknownVariables(takeUnknownVariables())
  const traces = await startTraces()
  const interruption = watchInterruption()
  const display = json ? undefined : await progressDisplay(process.stderr.isTTY)
  try {
    const summary = await (traces?.run ?? untraced)('semantica index', () =>
      indexDirectory({
        directory,
        ...(traces === undefined ? {} : { setup: traces.setup }),
        signal: interruption.signal,
        logTransitions: 'all',
        ...(display?.print === undefined ? {} : { logTo: display.print, logFormat: 'pretty' }),
        ...(state === undefined ? {} : { stateFolder: state }),
        ...sources,
        ...(maxFileBytes === undefined ? {} : { maxFileBytes }),
        ...(display === undefined ? {} : { onProgress: (progress) => display.update(progress) }),
      }),
    )
    display?.finish()
    if (json) printJson(summary)
    else printText(summary)
    if (summary.interrupted) return exitCodes.interrupted
    return summary.failed > 0 ? exitCodes.incomplete : exitCodes.ok
  } finally {
    display?.finish()
    interruption.release()
    await traces?.stop()
  }
}

function untraced<Returned>(_name: string, work: () => Promise<Returned>): Promise<Returned> {
  return work()
}

function printJson(summary: IndexSummary): void {
  const { files, indexed, unchanged, skipped, failed, removed, symbols, bytes } = summary
  const line = {
    files,
    indexed,
    unchanged,
    skipped,
    failed,
    removed,
    symbols,
    bytes,
    elapsed_ms: summary.elapsedMs,
    interrupted: summary.interrupted,
    skipped_by: summary.skippedBy,
    failures: summary.failures,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function printText(summary: IndexSummary): void {
  for (const { path, reason } of summary.failures.slice(0, maxShownFailures)) {
    process.stderr.write(`failed: ${printable(path)}: ${printable(reason)}\n`)
  }
  const unnamed = summary.failed - Math.min(summary.failures.length, maxShownFailures)
  if (unnamed > 0) process.stderr.write(`failed: ${unnamed} more; --json lists them\n`)

  const { files, indexed, unchanged, skipped, failed, removed, symbols, bytes, elapsedMs } = summary
  const reasons = Object.entries(summary.skippedBy).map(([reason, count]) => `${count} ${reason}`)
  const why = reasons.length > 0 ? ` (${reasons.join(', ')})` : ''
  process.stdout.write(
    `${files} files: ${indexed} indexed, ${unchanged} unchanged, ${skipped} skipped${why}, ${failed} failed; ` +
      `${removed} removed\n` +
      `${symbols} definitions in ${(bytes / 1e6).toFixed(1)} MB, ${(elapsedMs / 1_000).toFixed(1)} s\n`,
  )
  if (!summary.interrupted) return
  const hasRead = files > 0 && indexed + unchanged + skipped + failed === files
  const goesOn = hasRead
    ? 'all files were read; run the same command to complete the index'
    : 'run the same command to go on'
  process.stderr.write(`semantica: stopped; ${goesOn}\n`)
}
