/**
 * Milliseconds since an instant that all threads share, to the microsecond. The engine's monotonic clock is quicker to
 * read and is made for that too, but adds an offset that each thread finds out for itself.
 */
export function sharedMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
