import { readTraceExport } from '../config.ts'
import { hasCode } from '../errors.ts'
import type { TraceExport } from '../telemetry/trace-export.ts'

/**
 * Exports traces while the command runs, if the environment asks for it. Undefined: it does not, or the packages are not
 * installed, which is said in one line. The command does its work all the same.
 *
 * @throws OPTION_INVALID
 */
export async function startTraces(): Promise<TraceExport | undefined> {
  const settings = readTraceExport()
  if (settings === undefined) return undefined
  const { startTraceExport } = await import('../telemetry/trace-export.ts')
  try {
    return await startTraceExport(settings, say)
  } catch (error) {
    if (!(error instanceof Error) || !hasCode(error, 'TELEMETRY_MISSING')) throw error
    say(`${error.message} (TELEMETRY_MISSING)`)
    return undefined
  }
}

function say(line: string): void {
  process.stderr.write(`semantica: ${line}\n`)
}
