import type { JobsModule } from '../job/definition.ts'

type Intersected<Union> = (Union extends unknown ? (member: Union) => void : never) extends (
  member: infer Intersection,
) => void
  ? Intersection
  : never

/** The definitions behind the `jobs` option: those of the module, or of all modules together. */
export type DefinitionsOf<Jobs> =
  Jobs extends JobsModule<infer Definitions>
    ? Definitions
    : Jobs extends readonly JobsModule<infer Definitions>[]
      ? Intersected<Definitions>
      : never
