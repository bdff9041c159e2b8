/**
 * The door for programs that deal with jobs but run no engine: the vocabulary of states and errors. Pure, no native
 * code, so it loads anywhere.
 */
export {
  type ErrorCode,
  type ErrorKind,
  errorRegistry,
  fromPlainError,
  isErrorCode,
  type PlainError,
  SemanticaError,
} from './errors.ts'
export {
  type FinalState,
  isFinal,
  isJobState,
  type JobState,
  jobStates,
  type LiveState,
} from './job/state.ts'
