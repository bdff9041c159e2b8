/**
 * Keeps what an SDK throws, as of a span processor that is broken, from what it was to record: a job goes on without its
 * span. Told once in each thread, since each further span would fail alike.
 */

let isTold = false

/** Hears what was thrown. */
export type TellThrown = (thrown: unknown) => void

/** @param tell by default a warning of the process */
export function unlessSpanFails<Done>(record: () => Done, tell?: TellThrown): Done | undefined {
  try {
    return record()
  } catch (thrown) {
    spanFailed(thrown, tell)
    return undefined
  }
}

/** @param tell by default a warning of the process */
export function spanFailed(thrown: unknown, tell: TellThrown = warn): void {
  if (isTold) return
  isTold = true
  tell(thrown)
}

function warn(thrown: unknown): void {
  const why = thrown instanceof Error ? thrown.message : String(thrown)
  const told = 'the work goes on, and this is not said again'
  // As a text: an error would lose the code.
  process.emitWarning(`OpenTelemetry cannot record a span: ${why}; ${told}`, {
    code: 'SEMANTICA_TELEMETRY_FAILED',
  })
}
