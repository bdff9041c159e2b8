/**
 * Keeps what an SDK throws, as of a span processor that is broken, from what it was to record: a job goes on without its
 * span. Told once in each thread, since each further span would fail alike.
 */

let isTold = false

/** @param tell by default a warning of the process */
export function unlessSpanFails<Done>(
  record: () => Done,
  tell: (error: Error) => void = warn,
): Done | undefined {
  try {
    return record()
  } catch (thrown) {
    spanFailed(thrown, tell)
    return undefined
  }
}

/** @param tell by default a warning of the process */
export function spanFailed(thrown: unknown, tell: (error: Error) => void = warn): void {
  if (isTold) return
  isTold = true
  const why = thrown instanceof Error ? thrown.message : String(thrown)
  const told = 'the work goes on, and this is not said again'
  tell(new Error(`OpenTelemetry cannot record a span: ${why}; ${told}`, { cause: thrown }))
}

function warn(error: Error): void {
  process.emitWarning(error, { code: 'SEMANTICA_TELEMETRY_FAILED' })
}
