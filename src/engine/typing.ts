import type { JobsModule } from '../job/definition.ts'
import type { EnqueueOptions } from '../job/spec.ts'
import type { BuiltInOf, SubprocessOption } from './subprocess-option.ts'

/** What `enqueue` takes after the job type: the payload may be left out where the type has no validator. */
export type EnqueueParameters<Payload> = undefined extends Payload
  ? [payload?: Payload, options?: EnqueueOptions]
  : [payload: Payload, options?: EnqueueOptions]

type Intersected<Union> = (Union extends unknown ? (member: Union) => void : never) extends (
  member: infer Intersection,
) => void
  ? Intersection
  : never

/** The definitions behind the `jobs` option: those of the module, or of all modules together. */
type DefinitionsOf<Jobs> =
  Jobs extends JobsModule<infer Definitions>
    ? Definitions
    : Jobs extends readonly JobsModule<infer Definitions>[]
      ? Intersected<Definitions>
      : never

/** The `subprocess` option, or none. */
export type ProgramsOption = SubprocessOption | undefined

/** All that an engine serves. */
export type ServedBy<Jobs, Programs extends ProgramsOption> = DefinitionsOf<Jobs> & BuiltInOf<Programs>
