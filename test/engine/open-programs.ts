import { Engine } from '../../src/engine/engine.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import type { SubprocessOptions } from '../../src/engine/subprocess-option.ts'
import programs from '../fixtures/jobs/programs.ts'
import type { useEngines } from './open-engine.ts'

/** An engine whose jobs are programs, with the built-in type among them. */
export async function openPrograms(
  engines: ReturnType<typeof useEngines>,
  subprocess: Omit<SubprocessOptions, 'serveBuiltIn'> = {},
  options: Pick<EngineOptions, 'threads' | 'throttle' | 'metrics'> = {},
) {
  const engine = await Engine.start({
    jobs: programs,
    database: engines.pathOf('tasks.db'),
    threads: 1,
    logLevel: 'silent',
    stopGraceMs: 5_000,
    subprocess,
    ...options,
  })
  return engines.keep(engine)
}
