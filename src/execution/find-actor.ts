import type { ActorClient } from '../actor/actor-client.ts'
import { engineError } from '../errors.ts'
import { subprocessesName } from '../job/program.ts'

/**
 * The actor that a user means. The one that runs programs is none of theirs: what it is told belongs to a job.
 *
 * @throws ACTOR_UNKNOWN
 */
export function findActor(actors: ReadonlyMap<string, ActorClient>, name: string): ActorClient {
  const actor = actors.get(name)
  if (actor !== undefined && name !== subprocessesName) return actor
  const given = [...actors.keys()].filter((one) => one !== subprocessesName)
  throw engineError('ACTOR_UNKNOWN', {
    found: `There is no actor ${JSON.stringify(name)}`,
    allowed: given.sort().join(', ') || 'none: the engine was started without actors',
    action: 'Give it to Engine.start as an option of `actors`.',
  })
}
