import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { threadEntryUrl, threadExecOptions } from '../actor/thread.ts'
import { limits } from '../config.ts'
import type { PoolReply, PoolTask } from '../execution/messages.ts'

/** A Piscina of one thread: when that dies, it is destroyed with it. */
export type ThreadHost = Piscina<PoolTask, PoolReply>

/**
 * Half of what V8 takes by itself: what is new then stays within the caches of the core. Of a cold index 2.6 % of the time,
 * and 70 MB.
 */
const maxYoungGenerationSizeMb = 24

/**
 * Begins to start a pool thread. It loads what is the engine's, and nothing of the user's before it is greeted. Whoever
 * takes it looks whether it lives: it may have died before.
 */
export function bootThread(threadMemoryMb: number): ThreadHost {
  const host: ThreadHost = new Piscina({
    ...threadExecOptions(),
    filename: fileURLToPath(threadEntryUrl('pool-thread')),
    minThreads: 1,
    maxThreads: 1,
    // Beside batches, two that flush.
    concurrentTasksPerWorker: limits.batchesOfThread + 2,
    maxQueue: 0,
    recordTiming: false,
    workerHistogram: false,
    resourceLimits: { maxOldGenerationSizeMb: threadMemoryMb, maxYoungGenerationSizeMb },
  })
  // Or another thread would come in its place.
  host.on('workerDestroy', () => void host.destroy())
  // Without a listener its death would be that of the thread which boots it.
  host.on('error', () => {})
  return host
}

/** The next of these that lives, or a fresh one. What has died is taken out with it. */
export function takeThread(booted: ThreadHost[], threadMemoryMb: number): ThreadHost {
  for (let host = booted.pop(); host !== undefined; host = booted.pop()) {
    if (host.threads.length > 0) return host
    void host.destroy()
  }
  return bootThread(threadMemoryMb)
}
