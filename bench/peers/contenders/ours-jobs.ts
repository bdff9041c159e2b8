/** The engine's jobs: loaded by the host thread and by pool threads. */
import { defineJobs } from '../../../src/jobs.ts'
import type { PeerPayload } from '../harness/contender.ts'
import { handlers } from '../harness/handlers.ts'

// The boundary where the payload gets its type: the works enqueue nothing else.
export default defineJobs(import.meta.url, {
  NO_OP: { run: (payload) => handlers.NO_OP(payload as PeerPayload) },
  HASH: { run: (payload) => handlers.HASH(payload as PeerPayload) },
  STAMP: { run: (payload) => handlers.STAMP(payload as PeerPayload) },
  // Handlers that only wait overlap, as they do in the event loops of the others.
  NAP: { overlap: 100, run: (payload) => handlers.NAP(payload as PeerPayload) },
  /** Keeps a thread without using it, so that all else stays queued. */
  HOLD: {
    run: (_payload, ctx) =>
      new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve(), { once: true })),
  },
})
