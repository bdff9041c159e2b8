import { basename } from 'node:path'
import { Engine } from '../../src/engine/engine.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import ending from '../fixtures/jobs/ending.ts'
import type { useEngines } from './open-engine.ts'

/** An engine whose jobs end their threads; with one thread unless told otherwise. */
export async function openEnding(
  engines: ReturnType<typeof useEngines>,
  options: Partial<Omit<EngineOptions, 'jobs'>> = {},
) {
  const { database = engines.pathOf('tasks.db') } = options
  const engine = await Engine.start({
    jobs: ending,
    threads: 1,
    logLevel: 'silent',
    throttle: false,
    ...options,
    database,
  })
  return engines.keep(engine, basename(database))
}
