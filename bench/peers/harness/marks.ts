/**
 * How a handler says when it began, from whatever thread it runs on, to the one that measures. The clock is the same
 * in all threads and processes of a machine.
 */
import { BroadcastChannel, isMainThread } from 'node:worker_threads'
import { systemClock } from '../../../src/clock.ts'

export interface Mark {
  readonly n: number
  readonly startedMs: number
}

const channelName = 'semantica-bench-marks'
let channel: BroadcastChannel | undefined
let listener: ((mark: Mark) => void) | undefined

export function mark(n: number): void {
  const one: Mark = { n, startedMs: systemClock.monotonicMs() }
  if (isMainThread) passOn(one)
  else openChannel().postMessage(one)
}

/** For marks that came from another process. */
export function passOn(one: Mark): void {
  listener?.(one)
}

/** For the thread that measures. */
export function listenToMarks(listen: (mark: Mark) => void): void {
  listener = listen
  openChannel().onmessage = (event) => {
    // The boundary where what a thread sent gets its type.
    listen((event as MessageEvent).data as Mark)
  }
}

function openChannel(): BroadcastChannel {
  if (channel === undefined) {
    channel = new BroadcastChannel(channelName)
    channel.unref()
  }
  return channel
}
