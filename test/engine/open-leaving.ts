import { Engine } from '../../src/engine/engine.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import leaving from '../fixtures/jobs/leaving.ts'
import type { useEngines } from './open-engine.ts'

type LeavingEngine = Awaited<ReturnType<typeof openLeaving>>

/** An engine whose jobs leave something behind; with one thread unless told otherwise. */
export async function openLeaving(
  engines: ReturnType<typeof useEngines>,
  options: Partial<Omit<EngineOptions, 'jobs'>> = {},
) {
  const database = engines.pathOf('tasks.db')
  return engines.keep(
    await Engine.start({ jobs: leaving, database, threads: 1, logLevel: 'silent', ...options }),
  )
}

export interface LogLine {
  readonly time: string
  readonly level: string
  readonly attempt: number
  readonly message: string
  readonly fields?: Readonly<Record<string, unknown>>
}

export async function readLines(engine: LeavingEngine, jobId: string): Promise<LogLine[]> {
  const text = (await engine.readLog(jobId)) ?? ''
  // The boundary: each line is JSON, or this throws.
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine)
}
