/** The engine's own log: one JSON line an event, on stderr. Pino is loaded with the first line. */
import type { Logger } from 'pino'
import type { LogLevel } from '../config.ts'
import { type EngineEventName, type EngineEvents, eventLevels } from './events.ts'

const severity: Record<LogLevel, number> = { silent: 0, error: 1, warn: 2, info: 3, debug: 4 }

/** Subscribes to the events whose level `logLevel` lets through. */
export function logEvents(events: EngineEvents, logLevel: LogLevel): void {
  let loading: Promise<Logger> | undefined
  const write = (name: EngineEventName, event: object): void => {
    loading ??= openLog(logLevel)
    const { jobId, ...facts } = { jobId: undefined, ...event }
    const line = { event: name, ...(jobId === undefined ? {} : { job_id: jobId }), ...facts }
    loading.then(
      (log) => log[eventLevels[name]](line, name),
      (error: Error) => process.emitWarning(`The log cannot be opened: ${error.message}`),
    )
  }
  for (const [name, level] of Object.entries(eventLevels) as [EngineEventName, LogLevel][]) {
    if (severity[level] <= severity[logLevel]) events.on(name, (event) => write(name, event))
  }
}

async function openLog(level: LogLevel): Promise<Logger> {
  const { pino } = await import('pino')
  // Synchronous, so that the line about a death is out before the process is.
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  )
}
