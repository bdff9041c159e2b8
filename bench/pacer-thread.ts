/** The thread behind `pace`. */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../src/clock.ts'
import type { PacerOrder } from './pacer.ts'

// The boundary where what `pace` gave gets its type.
const { startMs, everyMs, arrivals } = workerData as PacerOrder
/** Never changes: to wait for it is to sleep, more precisely than a timer does, and without using the core. */
const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
for (let arrival = 0; arrival < arrivals; arrival++) {
  const dueMs = startMs + arrival * everyMs
  const leftMs = dueMs - systemClock.monotonicMs()
  if (leftMs > 0) Atomics.wait(never, 0, 0, leftMs)
  parentPort?.postMessage(dueMs)
}
