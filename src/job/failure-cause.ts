/**
 * Why an attempt did not succeed; kept with it.
 *
 * `THREW` the handler threw, or something that it had begun threw later; `TIMED_OUT` it gave way at its time limit, or was
 * ended some time after it; `CANCELLED` it did not give way to a cancel, and was ended; `INVALID_PAYLOAD` the stored
 * payload does not pass the validator any more; `INVALID_RESULT` what it returned is not JSON, or too large;
 * `UNKNOWN_TYPE` the thread has no handler for it. It was the only one that ran when its thread was over its memory limit
 * (`OUT_OF_MEMORY`), called for its own end (`EXITED`) or died otherwise (`THREAD_DIED`), or when the process died
 * (`PROCESS_DIED`).
 */
export type FailureCause =
  | 'THREW'
  | 'TIMED_OUT'
  | 'CANCELLED'
  | 'INVALID_PAYLOAD'
  | 'INVALID_RESULT'
  | 'UNKNOWN_TYPE'
  | DeathCause
  | 'PROCESS_DIED'

/** How a pool thread died. */
export type DeathCause = 'OUT_OF_MEMORY' | 'EXITED' | 'THREAD_DIED'
