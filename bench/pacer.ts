/**
 * A source of arrivals at an even pace, which does not wait for what becomes of them (an open loop).
 *
 * It is a thread that sleeps between two arrivals and posts a message for each, as a socket would. Timers of the host
 * thread know only whole milliseconds, and a stalled host thread would hold up its own producer: here the messages of
 * a stall pile up, and each still says when it was due.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** What the thread is given. Times are those of the monotonic clock. */
export interface PacerOrder {
  readonly startMs: number
  readonly everyMs: number
  readonly arrivals: number
}

/**
 * Calls `arrive` with the instant at which each was due. Resolves when all of them have come.
 *
 * @param enough ends it before that
 */
export async function pace(
  order: PacerOrder,
  arrive: (dueMs: number) => void,
  enough?: AbortSignal,
): Promise<void> {
  const thread = new Worker(new URL('./pacer-thread.ts', import.meta.url), { workerData: order })
  thread.on('message', arrive)
  enough?.addEventListener('abort', () => void thread.terminate(), { once: true })
  await once(thread, 'exit')
}
