/**
 * `console` in a pool thread. What a handler writes goes to the log of its job; what belongs to no job, as what a module
 * says while it is loaded, goes to standard error by its descriptor. The thread's own streams would carry each line
 * through the supervisor, and hold it up.
 */
import { Console } from 'node:console'
import { writeSync } from 'node:fs'
import { Writable } from 'node:stream'
import { format } from 'node:util'
import type { AttemptLog, JobLogLevel } from './job-log.ts'

const standardError = 2

/** @param currentLog the log of the job on whose behalf the thread runs at the moment */
export function captureConsole(currentLog: () => AttemptLog | undefined): void {
  const write = (level: JobLogLevel, text: string): void => {
    const log = currentLog()
    if (log === undefined) writeToStandardError(text)
    else log.write(level, text)
  }
  const stream = (level: JobLogLevel): Writable => {
    const sink = new Writable({ decodeStrings: false })
    // Past the stream's own queue, so that a line is in the log when the call returns.
    sink.write = (chunk: unknown) => {
      write(level, String(chunk).replace(/\n$/, ''))
      return true
    }
    return sink
  }
  const captured = new Console({ stdout: stream('info'), stderr: stream('error'), colorMode: false })
  captured.debug = (...values) => write('debug', format(...values))
  captured.warn = (...values) => write('warn', format(...values))
  // Into the object that is there, which modules may have at hand already.
  Object.assign(console, captured)
}

function writeToStandardError(text: string): void {
  try {
    writeSync(standardError, `${text}\n`)
  } catch {
    // Nobody reads it, or not as fast as it comes: nothing that a job should fail of.
  }
}
