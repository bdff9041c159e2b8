/**
 * The door for modules that pool threads and actors import: pure, and cheap to load.
 */
export {
  type ActorDefinition,
  type ActorModule,
  defineActor,
} from './actor/define.ts'
export { type ErrorCode, SemanticaError } from './errors.ts'
export type { ActorReference, JobContext, JobLog, LogFields } from './job/context.ts'
export {
  defineJobs,
  type JobDefinition,
  type JobsModule,
  type PayloadOf,
  type ProgramDefinition,
  type ResultOf,
} from './job/definition.ts'
export type { JsonValue } from './job/json.ts'
export type { NamedProgram, ProgramAdditions, ProgramPayload, ProgramResult } from './job/program.ts'
export type { RetryPolicy } from './job/retry.ts'
export type { EnqueueOptions } from './job/spec.ts'
export { Fatal, RetryAfter } from './job/verdict.ts'
