import { withinMs } from '../clock.ts'
import { maxStopGraceMs } from '../config.ts'
import { engineError, invalidOption, type SemanticaError } from '../errors.ts'
import { checkFields, checkNumber } from '../job/definition.ts'
import type { StopReport } from '../supervisor/messages.ts'

/** What `stop` takes beyond its grace for what is not the jobs': last commit, actors, threads. */
const stopMarginMs = 10_000
const nothingReported = {
  graceful: false,
  putBackWaiting: 0,
  putBackRunning: 0,
  leftRunning: 0,
  threadsEnded: 0,
}

/** What is refused, or was waited for, once `stop` has been called. */
export function engineStopped(): SemanticaError {
  return engineError('ENGINE_STOPPED', {
    found: 'The engine has been stopped',
    action: 'Start it again; jobs that had not ended are kept.',
  })
}

/** @throws OPTION_INVALID */
export function checkGrace(options: { readonly graceMs?: number }, defaultMs: number): number {
  checkFields('options', options)
  for (const name of Object.keys(options))
    if (name !== 'graceMs') throw invalidOption(name, 'not an option of stop', 'graceMs')
  const { graceMs = defaultMs } = options
  checkNumber('graceMs', graceMs, 0, maxStopGraceMs)
  return graceMs
}

/** What the supervisor reports of its end, or that it does not come to it. */
export async function reportOf(asked: Promise<StopReport>, graceMs: number): Promise<StopReport> {
  const mostMs = graceMs + stopMarginMs
  const report = await withinMs(asked, mostMs).catch(() => 'timed-out' as const)
  return report === 'timed-out' ? { ...nothingReported, elapsedMs: mostMs } : report
}
