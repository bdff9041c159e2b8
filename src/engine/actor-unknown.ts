import { engineError, type SemanticaError } from '../errors.ts'

export function actorUnknown(name: string, known: Iterable<string>): SemanticaError {
  return engineError('ACTOR_UNKNOWN', {
    found: `There is no actor ${JSON.stringify(name)}`,
    allowed: [...known].sort().join(', ') || 'none: the engine was started without actors',
    action: 'Give it to Engine.start as an option of `actors`.',
  })
}
