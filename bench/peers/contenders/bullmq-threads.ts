import type { Contender, OpenSettings } from '../harness/contender.ts'
import { openBullmq } from './bullmq.ts'

/**
 * https://docs.bullmq.io/guide/workers/sandboxed-processors: for work that keeps a core busy, a file is run on worker
 * threads, as many as `concurrency` says.
 */
export async function open(settings: OpenSettings): Promise<Contender> {
  return openBullmq(settings, new URL('./bullmq-processor.ts', import.meta.url), {
    concurrency: settings.cores,
    useWorkerThreads: true,
  })
}
