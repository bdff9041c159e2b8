/**
 * Time, injected. Two readings that must not be mixed: wall time is stored and compared across restarts and
 * may jump; monotonic time measures durations inside one process and never goes back.
 */
export interface Clock {
  /** Milliseconds since the epoch. For what is stored. */
  wallMs(): number
  /** Milliseconds since some fixed instant of this process. For what is measured. */
  monotonicMs(): number
  /** Calls `fire` once, after `delayMs`. The timer does not keep the process alive. */
  startTimer(delayMs: number, fire: () => void): Timer
}

export interface Timer {
  cancel(): void
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  startTimer(delayMs, fire) {
    const handle = setTimeout(fire, delayMs)
    handle.unref()
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
