import { withinMs } from '../clock.ts'
import { engineError, type SemanticaError } from '../errors.ts'
import type { StopReport } from '../supervisor/messages.ts'

/** What `stop` takes beyond its grace for what is not the jobs': last commit, actors, threads. */
const stopMarginMs = 10_000
const nothingReported = { graceful: false, putBackWaiting: 0, putBackRunning: 0, threadsEnded: 0 }

/** What is refused, or was waited for, once `stop` has been called. */
export function engineStopped(): SemanticaError {
  return engineError('ENGINE_STOPPED', {
    found: 'The engine has been stopped',
    action: 'Start it again; jobs that had not ended are kept.',
  })
}

/** What the supervisor reports of its end, or that it does not come to it. */
export async function reportOf(asked: Promise<StopReport>, graceMs: number): Promise<StopReport> {
  const mostMs = graceMs + stopMarginMs
  const report = await withinMs(asked, mostMs).catch(() => 'timed-out' as const)
  return report === 'timed-out' ? { ...nothingReported, elapsedMs: mostMs } : report
}
