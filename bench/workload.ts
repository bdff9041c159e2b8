/** The jobs that the trials run; loaded by the host thread and by pool threads. */
import { systemClock } from '../src/clock.ts'
import { defineJobs } from '../src/jobs.ts'
import { hashFor } from './hash.ts'

/** Its result is when its handler began, by the monotonic clock. */
export const stampJobType = 'STAMP'

/** Uses its thread for as many milliseconds as its payload says. */
export const spinJobType = 'SPIN'

/** What POLL and DEAF tell, and over which channel. */
export interface CancelMark {
  readonly kind: 'began' | 'saw'
  readonly jobId: string
  /** By the monotonic clock. */
  readonly atMs: number
}
export const cancelChannel = 'semantica-bench-cancel'
export const deafGraceMs = 200

export default defineJobs(import.meta.url, {
  NO_OP: { run() {} },
  OCCUPY: {
    // Holds its thread without using it, until the engine stops.
    run: (_payload, { signal }) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
  },
  HASH: {
    // The boundary where the payload gets its type: the trial enqueues nothing else.
    run: (payload) => hashFor((payload as HashPayload).rounds),
  },
  [stampJobType]: { run: () => systemClock.monotonicMs() },
  /** A synchronous loop that looks at the flag, and tells when it began and when it saw it. */
  POLL: {
    run(_payload, context) {
      const channel = new BroadcastChannel(cancelChannel)
      const tell = (kind: CancelMark['kind']) =>
        channel.postMessage({
          kind,
          jobId: context.jobId,
          atMs: systemClock.monotonicMs(),
        } satisfies CancelMark)
      tell('began')
      while (!context.cancelled);
      tell('saw')
      channel.close()
    },
  },
  /** The same that looks at nothing. */
  DEAF: {
    graceMs: deafGraceMs,
    run(_payload, { jobId }) {
      const channel = new BroadcastChannel(cancelChannel)
      channel.postMessage({ kind: 'began', jobId, atMs: systemClock.monotonicMs() } satisfies CancelMark)
      for (;;);
    },
  },
  [spinJobType]: {
    // The same.
    run(payload) {
      const endMs = systemClock.monotonicMs() + (payload as SpinPayload).ms
      while (systemClock.monotonicMs() < endMs);
    },
  },
})

interface HashPayload {
  readonly rounds: number
}

interface SpinPayload {
  readonly ms: number
}

/** The job of `floor` and `throughput`. */
export const noOpJob = { type: 'NO_OP', payload: { n: 1 } } as const
