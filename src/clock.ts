/**
 * Time, injected. Two readings that must not be mixed: wall time is stored and compared across restarts and
 * may jump; monotonic time measures durations inside one process and never goes back.
 */
export interface Clock {
  /** Milliseconds since the epoch. For what is stored. */
  wallMs(): number
  /** Milliseconds since a fixed instant that all threads of this process share. For what is measured. */
  monotonicMs(): number
  /** Calls `fire` once, after `delayMs`. The timer keeps the process alive only if `hold` says so. */
  startTimer(delayMs: number, fire: () => void, hold?: 'keeps-process-alive'): Timer
}

export interface Timer {
  cancel(): void
}

/** Readings from which the offset is taken: the first ones are slow, and any may be interrupted. */
const offsetReadings = 9

// performance.now() counts from the start of its thread; hrtime counts alike in all of them, but is slower to read.
const monotonicOffsetMs = readOffset()

/** By the reading that took the shortest time, so that all threads agree to a few microseconds. */
function readOffset(): number {
  let offsetMs = 0
  let shortestMs = Number.POSITIVE_INFINITY
  for (let reading = 0; reading < offsetReadings; reading++) {
    const beforeMs = performance.now()
    const sharedMs = Number(process.hrtime.bigint()) / 1e6
    const tookMs = performance.now() - beforeMs
    if (tookMs >= shortestMs) continue
    shortestMs = tookMs
    offsetMs = sharedMs - beforeMs - tookMs / 2
  }
  return offsetMs
}

/** The longest wait that setTimeout knows, 24.8 days: a longer one would fire at once. */
const maxTimerMs = 2_147_483_647

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => monotonicOffsetMs + performance.now(),
  startTimer(delayMs, fire, hold) {
    let handle: NodeJS.Timeout
    const wait = (leftMs: number): void => {
      const nowMs = Math.min(leftMs, maxTimerMs)
      handle = setTimeout(() => (leftMs > nowMs ? wait(leftMs - nowMs) : fire()), nowMs)
      if (hold === undefined) handle.unref()
    }
    wait(delayMs)
    return { cancel: () => clearTimeout(handle) }
  },
}

/** Resolves after `delayMs`; the one place in the engine that may wait for time alone. Keeps the process alive. */
export function delay(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs)
  })
}

/**
 * Resolves to what `promise` gives, or to `'timed-out'` after `limitMs`. The promise itself goes on; a rejection
 * that comes later is swallowed here, since its owner has gone on without it.
 */
export async function withinMs<T>(promise: Promise<T>, limitMs: number): Promise<T | 'timed-out'> {
  const late = Promise.withResolvers<'timed-out'>()
  const handle = setTimeout(() => late.resolve('timed-out'), limitMs)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(handle)
    promise.catch(() => {})
  }
}

/** Resolves once this turn's pending messages have been delivered: lets others run between two steps of long work. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Calls `run` once this turn's pending messages have been delivered: how a loop lets its mailbox fill. */
export function afterThisTurn(run: () => void): void {
  setImmediate(run)
}

/** Calls `run` within this turn of the event loop, once everything that promises have set going has run. */
export function afterMicrotasks(run: () => void): void {
  // Ticks that are added by a microtask have their turn when no microtask is left.
  queueMicrotask(() => process.nextTick(run))
}
