/**
 * Why an attempt did not succeed; kept with it.
 *
 * `THREW` the handler threw; `TIMED_OUT` it gave way at its time limit; `INVALID_PAYLOAD` the stored payload does not pass
 * the validator any more; `INVALID_RESULT` what it returned is not JSON, or too large; `UNKNOWN_TYPE` the thread has no
 * handler for it; `THREAD_DIED`, `PROCESS_DIED` it was the only one that ran there.
 */
export type FailureCause =
  | 'THREW'
  | 'TIMED_OUT'
  | 'INVALID_PAYLOAD'
  | 'INVALID_RESULT'
  | 'UNKNOWN_TYPE'
  | 'THREAD_DIED'
  | 'PROCESS_DIED'
